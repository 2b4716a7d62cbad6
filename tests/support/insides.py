"""Repositories inside a worktree, in every state; and all that such a repository holds, to be compared."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from tests.support.repo import GitRepo
from tests.support.scenes import configure, merge_stopped, odd_names, rebase_stopped, staged_and_unstaged

Work = Callable[[GitRepo], None]


def inner(slot: GitRepo, place: str = "inner", *options: str) -> GitRepo:
    slot.git("init", "-q", *options, place)
    return GitRepo(slot.path / place)


def with_commits(slot: GitRepo) -> None:
    inner(slot).commit("inner", {"f": "1\n"})


def without_commits(slot: GitRepo) -> None:
    inner(slot, "deep/er/inner")
    slot.write("deep/er/inner/f", "1\n")
    slot.write("deep/beside", "2\n")
    slot.git("add", "f", at=slot.path / "deep/er/inner")
    slot.write("deep/er/inner/f", "1\nunstaged\n")


def empty(slot: GitRepo) -> None:
    inner(slot)


def with_everything(slot: GitRepo) -> None:
    """Branches, tags, stash entries, an edited and a staged file, odd names, hooks, settings, a reflog."""
    place = inner(slot, "inner place")
    for name in ("plan/x", "side", "ways"):
        place.git("checkout", "-q", "-B", name)
        place.commit(name, {"src/a.py": f"{name}\n", "src/b.py": "b\n", "docs/guide.md": "g\n"})
    place.git("tag", "-a", "-m", "tagged", "v1")
    for text in ("one", "two"):
        place.write("src/a.py", f"stashed {text}\n")
        place.git("stash")
    place.git("reset", "-q", "--hard", "HEAD~1")
    place.git("config", "user.name", "Somebody else")
    place.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n").chmod(0o755)
    staged_and_unstaged(place)
    odd_names(place)
    (place.path / "link").symlink_to("/nowhere")
    (place.path / "empty").mkdir()


def merging(slot: GitRepo) -> None:
    place = inner(slot)
    place.commit("start", {"src/a.py": "a\n", "src/b.py": "b\n", "docs/guide.md": "g\n"})
    place.git("checkout", "-q", "-b", "plan/x")
    merge_stopped(place)


def shallow(slot: GitRepo) -> None:
    slot.git("clone", "-q", "--depth", "1", f"file://{slot.git('rev-parse', '--git-common-dir')}", "inner")
    GitRepo(slot.path / "inner").commit("on a shallow clone", {"f": "1\n"})


def of_sha256(slot: GitRepo) -> None:
    inner(slot, "inner", "--object-format=sha256").commit("x", {"f": "1\n"})


def in_a_tracked_folder(slot: GitRepo) -> None:
    """Git says nothing at all of this one; a file that the outer repository tracks is edited and one gone."""
    inner(slot, "src")
    slot.git("--git-dir=src/.git", "--work-tree=src", "commit", "-q", "--allow-empty", "-m", "hidden")
    slot.write("src/a.py", "edited\n")
    (slot.path / "src/b.py").unlink()
    slot.write("src/new", "seen by neither\n")


def broken(slot: GitRepo) -> None:
    """No repository to git, which then does not look into ``.git`` either."""
    slot.write("was/.git/objects/aa/bb", "an object\n")
    slot.write("was/file", "x\n")


def two_deep(slot: GitRepo) -> None:
    outer = inner(slot)
    outer.commit("outer", {".gitignore": "*.o\ncache/\n", "f": "1\n", "x.o": "object\n"})
    outer.write("cache/much", "ignored\n")
    inner(outer, "lib/deeper").commit("deeper", {"g": "2\n"})
    GitRepo(outer.path / "lib/deeper").write("untracked", "3\n")


def read_only(slot: GitRepo) -> None:
    place = inner(slot)
    place.commit("x", {"f": "1\n"})
    place.write("kept/file", "x\n").chmod(0o400)
    (place.path / "kept").chmod(0o500)


def staged_as_a_link(slot: GitRepo) -> None:
    with_commits(slot)
    slot.git("add", "inner")
    slot.write("inner/later", "untracked\n")


def in_place_of_a_file(slot: GitRepo) -> None:
    (slot.path / "README.md").unlink()
    inner(slot, "README.md").commit("x", {"f": "1\n"})


INSIDES: tuple[Work, ...] = (
    with_commits,
    without_commits,
    empty,
    with_everything,
    merging,
    shallow,
    of_sha256,
    in_a_tracked_folder,
    broken,
    two_deep,
    read_only,
    staged_as_a_link,
    in_place_of_a_file,
)


def dirty(module: GitRepo) -> None:
    staged_and_unstaged(module)
    module.write("new", "x\n")
    module.write("x.log", "ignored by nobody\n")


def unpushed(module: GitRepo) -> None:
    module.commit("only here", {"x": "1\n"})


def unpushed_and_recorded(module: GitRepo) -> None:
    """The outer repository records the commit; that does not keep it."""
    unpushed(module)
    outer = GitRepo(module.path.parent)
    outer.git("commit", "-qam", "bump")
    assert outer.git("status", "--porcelain") == ""


def on_another_branch(module: GitRepo) -> None:
    module.git("checkout", "-q", "-b", "side")
    unpushed(module)
    module.git("checkout", "-q", "main")


def detached_and_unpushed(module: GitRepo) -> None:
    module.git("checkout", "-q", "--detach")
    unpushed(module)


def stashed(module: GitRepo) -> None:
    module.write("src/a.py", "edited\n")
    module.git("stash")


def rebasing(module: GitRepo) -> None:
    module.git("checkout", "-q", "-b", "plan/x")
    rebase_stopped(module)


def hidden_by_configuration(module: GitRepo) -> None:
    GitRepo(module.path.parent).git("config", "submodule.lib.ignore", "all")
    dirty(module)


def nested_inside(module: GitRepo) -> None:
    """Nothing of the submodule itself is unsaved."""
    module.git("init", "-q", "src/deep")
    module.write("src/deep/file", "x\n")


def line_endings_of_its_own(module: GitRepo) -> None:
    configure(module, "core.autocrlf", "true")
    module.write("src/a.py", b"one\r\ntwo\n")


MODULES: tuple[Work, ...] = (
    dirty,
    unpushed,
    unpushed_and_recorded,
    on_another_branch,
    detached_and_unpushed,
    stashed,
    rebasing,
    hidden_by_configuration,
    nested_inside,
    line_endings_of_its_own,
)


def everything(top: Path) -> dict[str, tuple[int, bytes]]:
    """Every folder, link and file below ``top``, git folders included: mode and content."""
    found = {}
    for here, folders, files in os.walk(top):
        for path in (Path(here) / name for name in [*folders, *files]):
            mode = path.lstat().st_mode
            content = b""
            if stat.S_ISLNK(mode):
                content = os.fsencode(path.readlink())
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            found[str(path.relative_to(top))] = (mode, content)
    return found


def facts(place: GitRepo) -> dict[str, str]:
    """What a repository says of itself."""
    config = place.git("config", "--list", "--local").splitlines()
    return {
        "references": place.git("for-each-ref"),
        "head": place.git("rev-parse", "--symbolic-full-name", "HEAD"),
        "log": place.git("log", "--all", "--format=%H %s"),
        "reflog": place.git("reflog", "--all"),
        "stash": place.git("stash", "list"),
        "index": place.git("ls-files", "-v", "-s", "-z"),
        "status": place.git("--no-optional-locks", "status", "--porcelain=v2", "-z", "--untracked-files=all"),
        "config": "\n".join(line for line in config if "worktree=" not in line),
        "fsck": place.git("fsck", "--no-progress", "--no-dangling"),
    }
