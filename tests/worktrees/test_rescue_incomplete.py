"""What a snapshot cannot hold is said, the rest is kept, and what it must not hold is left out."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from tests.support.manifest import manifest, on_disk
from tests.support.repo import GitRepo
from tests.support.scenes import staged_and_unstaged
from worktrees import snapshot as snapshot_module
from worktrees.errors import InvalidReferenceError, ReferenceMovedError, RescueIncompleteError
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import list_rescues, rescue, show
from worktrees.restore import restore
from worktrees.restoreerrors import RestoreRefusedError, UnknownRescueError
from worktrees.restorelook import Wish

STAMP = "01J0000000000000000000000A"


def pipe_in_place_of_a_file(slot: GitRepo) -> None:
    (slot.path / "src/a.py").unlink()
    os.mkfifo(slot.path / "src/a.py")


def git_file_gone(slot: GitRepo) -> None:
    (slot.path / ".git").unlink()


def object_missing(slot: GitRepo) -> None:
    slot.write("src/a.py", "staged, then lost\n")
    slot.git("add", "src/a.py")
    oid = slot.git("rev-parse", ":src/a.py")
    (find(slot.path).common_dir / "objects" / oid[:2] / oid[2:]).unlink()
    slot.write("src/a.py", "on disk\n")


def index_corrupt(slot: GitRepo) -> None:
    (find(slot.path).git_dir / "index").write_bytes(b"no index at all")
    slot.write("src/a.py", "on disk\n")


def index_is_a_folder(slot: GitRepo) -> None:
    index_corrupt(slot)
    index = find(slot.path).git_dir / "index"
    index.unlink()
    index.mkdir()


def head_corrupt(slot: GitRepo) -> None:
    (find(slot.path).git_dir / "HEAD").write_text("no head at all")
    slot.write("src/a.py", "on disk\n")


def head_lost(slot: GitRepo) -> None:
    tip = slot.commit("lost", {"x": "1\n"})
    (find(slot.path).common_dir / "objects" / tip[:2] / tip[2:]).unlink()
    slot.write("src/a.py", "on disk\n")


BAD = (
    (pipe_in_place_of_a_file, r"src/a\.py: .*neither a file nor a link", {"src/b.py"}),
    (git_file_gone, "not inside a git repository", {"src/a.py"}),
    (object_missing, r"src/a\.py: the repository has lost", {"src/a.py"}),
    (index_corrupt, "the index", {"src/a.py"}),
    (index_is_a_folder, "the index", {"src/a.py"}),
    (head_corrupt, "not a git repository", {"src/a.py"}),
    (head_lost, "bad object|could not|fatal", {"src/a.py", "x"}),
)


@pytest.mark.parametrize(("work", "reason", "kept"), BAD, ids=lambda v: getattr(v, "__name__", ""))
def test_p9_what_cannot_be_captured_whole_is_said_and_the_rest_kept(
    slot: GitRepo, git: Git, work: Callable[[GitRepo], None], reason: str, kept: set[str]
) -> None:
    slot.write("loose/new", "untracked\n")
    slot.write("src/b.py", "edited\n")
    work(slot)
    before = on_disk(slot.path)
    with pytest.raises(RescueIncompleteError, match=reason) as caught:
        rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert on_disk(slot.path) == before
    assert not caught.value.whole
    (info,) = list_rescues(git)
    assert info.reference == caught.value.reference
    assert "LOST" in show(git, info.reference)
    for name in {*kept, "loose/new"}:
        oid = git.run("hash-object", "--no-filters", "--stdin", stdin=before[name][1]).text
        found = git.run("rev-list", "--objects", "--no-object-names", info.commit).text.splitlines()
        assert oid in found, f"{name} is not pinned"
    assert not list(git.repository.state_dir.glob("snapshot-*"))


@pytest.mark.parametrize("damage", ["gone", "garbage", "elsewhere"])
def test_p9_a_damaged_git_file_costs_nothing_where_the_metadata_are_known(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path, damage: str
) -> None:
    own, base = find(slot.path).git_dir, slot.head()
    staged_and_unstaged(slot)
    before = manifest(repo, slot.path)
    dot_git = slot.path / ".git"
    if damage == "gone":
        dot_git.unlink()
    else:
        dot_git.write_text("garbage" if damage == "garbage" else f"gitdir: {repo.path}/.git\n")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP, git_dir=own)
    assert done is not None
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other), base)
    restore(git, done.reference, other)
    assert manifest(repo, other) == before


def filter_that_fails(slot: GitRepo) -> None:
    """As a repository with git-lfs on a machine without it."""
    slot.git("config", "filter.broken.clean", "false")
    slot.git("config", "filter.broken.required", "true")
    slot.write(".gitattributes", "*.x filter=broken\n")
    slot.write("a.x", b"text\r\n")
    slot.write("b", "text\n")


def name_that_git_refuses(slot: GitRepo) -> None:
    slot.write("git~1", "text\n")
    slot.write("deep/.GIT", "text\n")
    slot.write("b", "text\n")


@pytest.mark.parametrize("work", [filter_that_fails, name_that_git_refuses], ids=lambda w: w.__name__)
def test_p9_what_git_add_refuses_is_kept_as_bare_bytes(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path, work: Callable[[GitRepo], None]
) -> None:
    work(slot)
    base, before = slot.head(), on_disk(slot.path)
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    assert slot.git("cat-file", "-p", f"{done.commit}:b") == "text"
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other), base)
    restore(git, done.reference, other)
    assert on_disk(other) == before


def test_p9_the_worktree_that_a_link_took_the_place_of_is_refused(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    own = find(slot.path).git_dir
    slot.path.rename(tmp_path / "away")
    slot.path.symlink_to(repo.path)
    with pytest.raises(RescueIncompleteError, match="symbolic link"):
        rescue(git, slot.path, "slot-01", stamp=STAMP, git_dir=own)


@pytest.fixture
def submodule(repo: GitRepo, slot: GitRepo, tmp_path: Path) -> GitRepo:
    library = GitRepo.copy_of(repo.path, tmp_path / "library")
    slot.git("submodule", "add", "-q", str(library.path), "lib")
    slot.git("commit", "-qm", "add lib")
    return GitRepo(slot.path / "lib")


def test_a_submodule_at_another_pushed_commit_is_kept(
    repo: GitRepo, slot: GitRepo, submodule: GitRepo, git: Git, tmp_path: Path
) -> None:
    submodule.commit("x", {"x": "1\n"})
    submodule.git("push", "-q", "origin", "HEAD:refs/heads/other")
    submodule.git("fetch", "-q")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    assert repo.git("rev-parse", f"{done.commit}:lib") == submodule.head()
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other), slot.head())
    assert restore(git, done.reference, other).submodules == ("lib",)


def test_a_plain_repository_in_an_ignored_folder_is_the_package_managers(slot: GitRepo, git: Git) -> None:
    slot.commit("ignore", {".gitignore": "node_modules/\nbuild\n"})
    for place in ("node_modules/x", "build/y", "pkg/node_modules/z"):
        slot.git("init", "-q", place)
    slot.write("pkg/code.py", "x\n")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    assert slot.git("ls-tree", "-r", "--name-only", done.commit, "--", "pkg") == "pkg/code.py"


def test_nothing_to_keep(slot: GitRepo, git: Git) -> None:
    assert rescue(git, slot.path, "slot-01", stamp=STAMP) is None
    (slot.path / "src/a.py").touch()
    (slot.path / "empty/folder").mkdir(parents=True)
    slot.write("with/.git/x", "").unlink()
    os.mkfifo(slot.path / "pipe")
    assert rescue(git, slot.path, "slot-01", stamp=STAMP) is None
    assert list_rescues(git) == ()


def test_ignored_files_are_kept_by_pattern(repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path) -> None:
    slot.commit("ignore", {".gitignore": "*.log\n.env\ncache/\nout/\n"})
    for name in ("a.log", "deep/b.log", ".env", "cache/x/y", "out/keep/z", "out/other"):
        slot.write(name, f"of {name}\n")
    assert rescue(git, slot.path, "slot-01", stamp=STAMP) is None
    patterns = (".env", "cache/", "deep/*.log", "out/keep")
    done = rescue(git, slot.path, "slot-01", ignored=patterns, stamp=STAMP)
    assert done is not None
    assert done.paths == 4
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other), slot.head())
    restore(git, done.reference, other)
    kept = {name for name in on_disk(other) if name not in on_disk(repo.path)}
    assert kept == {".gitignore", ".env", "cache/x/y", "deep/b.log", "out/keep/z"}
    assert repo.git("status", "--porcelain", at=other) == "", "they are ignored there too, not staged"


def test_p9_a_repository_under_a_pattern_of_ignored_files_is_kept(slot: GitRepo, git: Git) -> None:
    slot.commit("ignore", {".gitignore": "cache/\n"})
    nested = GitRepo(slot.path / "cache/inner")
    slot.git("init", "-q", "cache/inner")
    nested.commit("x", {"f": "1\n"})
    with pytest.raises(RescueIncompleteError, match="cache/inner") as caught:
        rescue(git, slot.path, "slot-01", ignored=("cache",), stamp=STAMP)
    assert caught.value.whole


def test_sparse_files_that_are_not_there_are_no_deletions(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    slot.git("sparse-checkout", "set", "docs")
    assert not (slot.path / "src").exists()
    assert rescue(git, slot.path, "slot-01", stamp=STAMP) is None
    slot.write("docs/guide.md", "edited\n")
    slot.write("src/new.py", "outside of the cone\n")
    slot.git("update-index", "--cacheinfo", "100644", slot.git("rev-parse", "HEAD:README.md"), "src/b.py")
    slot.git("update-index", "--skip-worktree", "src/b.py")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    changed = slot.git("diff", "--name-status", "HEAD", done.commit).splitlines()
    assert changed == ["M\tdocs/guide.md", "M\tsrc/b.py", "A\tsrc/new.py"]
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other), slot.head())
    restore(git, done.reference, other)
    status = repo.git("status", "--porcelain", at=other).splitlines()
    assert status == [" M docs/guide.md", "M  src/b.py", "?? src/new.py"]


def test_sparse_index(slot: GitRepo, git: Git) -> None:
    slot.git("sparse-checkout", "set", "--cone", "--sparse-index", "docs")
    slot.write("docs/guide.md", "edited\n")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    assert slot.git("diff", "--name-only", "HEAD", done.commit) == "docs/guide.md"


def test_a_file_that_changes_meanwhile_is_refused(
    slot: GitRepo, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.write("src/a.py", "first\n")
    original = snapshot_module._worktree_tree

    def then_appears(found: object) -> str:
        tree = original(found)  # type: ignore[arg-type]
        slot.write("late.txt", "written while the snapshot was made\n")
        return tree

    monkeypatch.setattr(snapshot_module, "_worktree_tree", then_appears)
    with pytest.raises(RescueIncompleteError, match=r"late\.txt: it changed") as caught:
        rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert slot.git("show", f"{caught.value.reference}:src/a.py") == "first"


def test_an_edit_in_the_tick_of_the_index_is_seen(slot: GitRepo, git: Git) -> None:
    """The entry's times and size are those of the edited file, its object that of the file before.

    That is what an edit leaves within one tick of the index being written. Git tells it by the index being
    no newer than the file, so a copy of the index that looks newer would lose the edit.
    """
    before = slot.git("rev-parse", ":docs/guide.md")
    long_ago = 1_700_000_000_000_000_000  # git's tick may be a whole second, which a copy made now is past
    os.utime(slot.write("docs/guide.md", "# Guide\n\nEdit!\n"), ns=(long_ago, long_ago))
    slot.git("add", "docs/guide.md")
    index = find(slot.path).git_dir / "index"
    content = index.read_bytes()[:-20]
    after = slot.git("rev-parse", ":docs/guide.md")
    content = content.replace(bytes.fromhex(after), bytes.fromhex(before))
    index.write_bytes(content + hashlib.sha1(content).digest())
    os.utime(index, ns=(long_ago, long_ago))
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    assert slot.git("diff", "--name-only", "HEAD", done.commit) == "docs/guide.md"


def test_unborn_branch(repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path) -> None:
    slot.git("checkout", "-q", "--orphan", "fresh")
    before = manifest(repo, slot.path)
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other))
    with pytest.raises(RestoreRefusedError, match="no commit"):
        restore(git, done.reference, other)
    repo.git("checkout", "-q", "--orphan", "elsewhere", at=other)
    repo.git("rm", "-rqf", ".", at=other)
    restore(git, done.reference, other)
    assert manifest(repo, other) == before


def test_a_main_checkout_and_a_worktree_without_an_identity(repo: GitRepo, git: Git, hermetic: Path) -> None:
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    repo.git("config", "user.useConfigOnly", "true")
    (hermetic / "gitconfig").write_text("", encoding="utf-8")
    repo.write("new", "x\n")
    assert rescue(git, repo.path, "main", stamp=STAMP) is not None


def test_labels_and_stamps(slot: GitRepo, git: Git) -> None:
    slot.write("new", "x\n")
    for label in ("../x", "a b", "-x..", ""):
        with pytest.raises(InvalidReferenceError):
            rescue(git, slot.path, label, stamp=STAMP)
    first = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert first is not None
    slot.write("new", "y\n")
    with pytest.raises(ReferenceMovedError):
        rescue(git, slot.path, "slot-01", stamp=STAMP)
    second = rescue(git, slot.path, "slot-01", stamp=STAMP[:-1] + "B")
    assert second is not None
    infos = list_rescues(git)
    assert [(info.label, info.stamp) for info in infos] == [
        ("slot-01", STAMP),
        ("slot-01", STAMP[:-1] + "B"),
    ]
    assert infos[0].commit == first.commit
    assert infos[0].subject == "planctl rescue of slot-01: 1 path"
    assert infos[0].at.endswith("Z")


def test_show_says_what_no_diff_shows(slot: GitRepo, git: Git) -> None:
    slot.write("src/a.py", "staged\n")
    slot.git("add", "src/a.py")
    slot.write("evil\x1b[31m", b"a\r\n")
    slot.git("config", "core.autocrlf", "true")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    text = show(git, done.reference)
    assert "branch: plan/x" in text
    assert "staged: src/a.py" in text
    assert "2 files changed" in text
    assert "\x1b" not in text
    for other in ("HEAD", "refs/heads/main", "refs/planctl/rescue/none", "--all"):
        with pytest.raises(UnknownRescueError):
            show(git, other)


def test_restore_refuses_to_overwrite(repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path) -> None:
    slot.commit("ignore", {".gitignore": "*.log\nlinked\n"})
    slot.write("src/a.py", "rescued\n")
    slot.write("x.log", "rescued\n")
    slot.write("deep/y", "rescued\n")
    done = rescue(git, slot.path, "slot-01", ignored=("*.log",), stamp=STAMP)
    assert done is not None

    def refused(reason: str, wish: Wish | None = None) -> RestoreRefusedError:
        before = on_disk(tmp_path / "other"), repo.git("rev-parse", "HEAD", at=tmp_path / "other")
        with pytest.raises(RestoreRefusedError, match=reason) as caught:
            restore(git, done.reference, tmp_path / "other", wish)
        after = on_disk(tmp_path / "other"), repo.git("rev-parse", "HEAD", at=tmp_path / "other")
        assert after == before
        return caught.value

    other = GitRepo(tmp_path / "other")
    repo.git("worktree", "add", "-q", "--detach", str(other.path), "main")
    assert refused("stands at").base == slot.head()
    other.write("x.log", "my own\n")
    assert refused("x.log", Wish(detach=True)).paths == ("x.log",)
    repo.git("checkout", "-q", "--detach", "plan/x", at=other.path)
    assert refused("in the way").paths == ("x.log",), "ignored files are the user's too"
    (other.path / "x.log").unlink()
    other.write("src/b.py", "dirty\n")
    assert refused("uncommitted").paths == ("src/b.py",)
    other.git("update-index", "--assume-unchanged", "src/b.py")
    assert refused("uncommitted").paths == ("src/b.py",), "hidden work is work"
    other.git("update-index", "--no-assume-unchanged", "src/b.py")
    other.git("checkout", "-q", "src/b.py")
    outside = tmp_path / "outside"
    outside.mkdir()
    other.git("config", "core.excludesFile", str(tmp_path / "excludes"))
    (tmp_path / "excludes").write_text("deep\n", encoding="utf-8")
    (other.path / "deep").symlink_to(outside)
    assert refused("in the way").paths == ("deep",)
    assert list(outside.iterdir()) == [], "nothing is written through a link"
    (other.path / "deep").unlink()
    lock = find(other.path).git_dir / "index.lock"
    lock.touch()
    refused("another git process")
    lock.unlink()
    restore(git, done.reference, other.path)
    assert (other.path / "src/a.py").read_text() == "rescued\n"


def test_detaching_overwrites_no_ignored_file(repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path) -> None:
    slot.commit("tracked here", {"settings.local": "of the plan\n"})
    slot.write("src/a.py", "rescued\n")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    other = GitRepo(tmp_path / "other")
    repo.git("worktree", "add", "-q", "--detach", str(other.path), "main")
    (tmp_path / "excludes").write_text("*.local\n", encoding="utf-8")
    other.git("config", "core.excludesFile", str(tmp_path / "excludes"))
    other.write("settings.local", "my own\n")
    head = other.head()
    with pytest.raises(RestoreRefusedError):
        restore(git, done.reference, other.path, Wish(detach=True))
    assert (other.path / "settings.local").read_text() == "my own\n"
    assert other.head() == head


def test_restore_detaches_when_told(repo: GitRepo, slot: GitRepo, git: Git) -> None:
    slot.commit("more", {"src/a.py": "committed\n"})
    slot.write("src/a.py", "rescued\n")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    main = repo.head()
    restore(git, done.reference, repo.path, Wish(detach=True))
    assert repo.git("rev-parse", "main") == main
    assert repo.head() == slot.head()
    assert repo.git("status", "--porcelain") == " M src/a.py"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="planctl-test-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("hide", "mode"),
    [("src/a.py", 0), ("src", 0), ("new.txt", 0), ("newer", 0), ("docs", 0o300), ("newer", 0o300)],
)
def test_p9_what_cannot_be_read_is_said_and_the_rest_kept(
    repo: GitRepo, open_folder: Path, hide: str, mode: int
) -> None:
    """A folder that may be entered but not listed (0o300) is one that git passes over with a warning."""
    place = GitRepo.copy_of(repo.path, open_folder / "repo")
    place.write("src/a.py", "edited, same size or not\n")
    place.write("new.txt", "x\n")
    place.write("newer/inner/file", "x\n")
    place.write("docs/unlisted", "x\n")
    place.write("kept.txt", "can be read\n")
    (place.path / hide).chmod(mode)
    child = os.fork()
    if child == 0:
        os._exit(_incomplete_as_nobody(open_folder))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (place.path / hide).chmod(0o700)


def _incomplete_as_nobody(folder: Path) -> int:
    """Run in a child: 0 when the rescue is incomplete, as a user whom file modes bind."""
    try:
        if os.getuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, 65534, 65534, follow_symlinks=False)
            os.setgid(65534)
            os.setuid(65534)
        os.environ |= {"HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
        for level in (ConfigLevel.GLOBAL, ConfigLevel.XDG):
            pygit2.settings.search_path[level] = str(folder)
        os.chdir(folder)
        git = Git(find(folder / "repo"))
        git.ensure_desk()
        rescue(git, folder / "repo", "slot-01", stamp=STAMP)
    except RescueIncompleteError as error:
        said = str(error)
        kept = error.reference and git.run("cat-file", "-t", f"{error.reference}:kept.txt").text == "blob"
        return 0 if kept and ("ermission" in said or "cannot be read" in said) else 3
    except BaseException as error:  # noqa: BLE001 - a forked child must not run pytest's own ending
        print(error)
        return 2
    return 1
