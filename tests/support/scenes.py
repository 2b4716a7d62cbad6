"""Worktrees with work in them: each function makes one kind, given a worktree on a branch of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.support.repo import GitRepo


def staged_and_unstaged(slot: GitRepo) -> None:
    slot.write("src/a.py", "staged\n")
    slot.git("add", "src/a.py")
    slot.write("src/a.py", "staged\nand not\n")
    slot.write("src/b.py", "only unstaged\n")
    slot.write("new.txt", "staged new\n")
    slot.git("add", "new.txt")
    slot.write("loose/deep/er.txt", "untracked\n")


def staged_then_put_back_on_disk(slot: GitRepo) -> None:
    before = (slot.path / "src/a.py").read_bytes()
    slot.write("src/a.py", "staged\n")
    slot.git("add", "src/a.py")
    slot.write("src/a.py", before)


def deletions(slot: GitRepo) -> None:
    slot.git("rm", "-q", "src/a.py")
    (slot.path / "src/b.py").unlink()
    slot.git("rm", "-q", "--cached", "docs/guide.md")


def same_size_in_the_same_tick(slot: GitRepo) -> None:
    """A racy edit: same length, same times, right after the index was written."""
    path = slot.path / "docs/guide.md"
    slot.write("docs/guide.md", "# Guide\n\nText.\n")
    slot.git("update-index", "--refresh")
    known = path.stat()
    path.write_bytes(b"# Guide\n\nEdit!\n")
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))


def modes_and_links(slot: GitRepo) -> None:
    (slot.path / "src/a.py").chmod(0o755)
    slot.write("secret", "key\n").chmod(0o600)
    slot.write("tool", "#!/bin/sh\n").chmod(0o700)
    (slot.path / "link").symlink_to("src/a.py")
    (slot.path / "dangling").symlink_to("nowhere/at all")
    (slot.path / "docs/guide.md").unlink()
    (slot.path / "docs/guide.md").symlink_to("../README.md")


def file_becomes_folder(slot: GitRepo) -> None:
    (slot.path / "README.md").unlink()
    slot.write("README.md/inside", "x\n")
    for name in ("a.py", "b.py"):
        (slot.path / "src" / name).unlink()
    (slot.path / "src").rmdir()
    slot.write("src", "now a file\n")


def folder_becomes_link(slot: GitRepo) -> None:
    (slot.path / "docs/guide.md").unlink()
    (slot.path / "docs").rmdir()
    (slot.path / "docs").symlink_to("src")


def folder_becomes_link_to_the_same_names(slot: GitRepo) -> None:
    """What is seen through the links is not there; one of them leads to itself."""
    (slot.path / "docs").rename(slot.path / "moved")
    (slot.path / "docs").symlink_to("moved")
    (slot.path / "src/a.py").unlink()
    (slot.path / "src/b.py").unlink()
    (slot.path / "src").rmdir()
    (slot.path / "src").symlink_to("src")


def odd_names(slot: GitRepo) -> None:
    names = [b"caf\xe9", b"\xff\xfe", b"two\nlines", b'"quoted"', b"tab\there", b"end\r", b" lead", b"-f"]
    names += [b":(glob)x", b"*", b"back\\slash", "ü.txt".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(slot.path) + b"/" + name)).write_bytes(b"of " + name)
    slot.git("add", "--", ":(literal)*")


def configure(slot: GitRepo, name: str, value: str) -> None:
    """Set it and have every file checked out anew under it."""
    slot.git("config", name, value)
    slot.git("rm", "-rqf", ".")
    slot.git("reset", "-q", "--hard")


def line_endings(slot: GitRepo) -> None:
    configure(slot, "core.autocrlf", "true")
    slot.write("src/a.py", b"one\r\ntwo\nmixed\r\n")
    slot.write("win.txt", b"a\r\nb\r\n")
    slot.write("unix.txt", b"a\nb\n")


def line_endings_alone(slot: GitRepo) -> None:
    """What git would commit is what HEAD has; only the bytes on disk differ."""
    slot.git("config", "core.autocrlf", "input")
    path = slot.path / "src/a.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert slot.git("diff") == ""


def refused_by_safecrlf(slot: GitRepo) -> None:
    slot.git("config", "core.autocrlf", "input")
    slot.git("config", "core.safecrlf", "true")
    slot.write("mixed.txt", b"a\r\nb\n")


def lossy_filter(slot: GitRepo) -> None:
    configure(slot, "filter.gone.clean", "tr a-z A-Z")
    slot.write(".gitattributes", "*.up filter=gone\nsrc/* eol=crlf\n*.id ident\n")
    slot.write("x.up", "lower case\n")
    slot.write("y.id", "$Id: something of my own$\n")
    slot.write("src/c.py", b"c\r\n")


def hidden_by_marks(slot: GitRepo) -> None:
    slot.git("update-index", "--assume-unchanged", "src/a.py")
    slot.git("update-index", "--skip-worktree", "src/b.py")
    slot.write("src/a.py", "hidden edit\n")
    slot.write("src/b.py", "hidden too\n")
    assert slot.git("status", "--porcelain") == ""


def intent_to_add(slot: GitRepo) -> None:
    slot.write("promised.txt", "text\n")
    slot.git("add", "-N", "promised.txt")


def split_index(slot: GitRepo) -> None:
    slot.git("update-index", "--split-index")
    staged_and_unstaged(slot)


def index_version_and_caches(slot: GitRepo) -> None:
    slot.git("update-index", "--untracked-cache", "--index-version", "4")
    staged_and_unstaged(slot)


def diverged(slot: GitRepo) -> None:
    slot.commit("mine", {"src/a.py": "mine\n", "docs/guide.md": "kept by me\n"})
    slot.git("branch", "theirs", "main")
    slot.git("checkout", "-q", "theirs")
    slot.git("rm", "-q", "docs/guide.md")
    slot.commit("theirs", {"src/a.py": "theirs\n", "both.txt": "t\n", "src/b.py": "theirs, clean\n"})
    slot.git("checkout", "-q", "plan/x")
    slot.commit("both", {"both.txt": "m\n"})


def merge_stopped(slot: GitRepo) -> None:
    diverged(slot)
    slot.git("merge", "theirs", ok=False)
    slot.write("notes", "while merging\n")


def merge_half_resolved(slot: GitRepo) -> None:
    merge_stopped(slot)
    slot.write("both.txt", "resolved\n")
    slot.git("add", "both.txt")


def merge_all_unmerged(slot: GitRepo) -> None:
    """Nothing at all is merged: the folder of what is merged is empty."""
    slot.git("checkout", "-q", "--orphan", "one")
    slot.git("rm", "-rqf", ".")
    slot.commit("one", {"f": "1\n"})
    slot.git("checkout", "-q", "--orphan", "two")
    slot.commit("two", {"f": "2\n"})
    slot.git("merge", "--allow-unrelated-histories", "one", ok=False)


def cherry_pick_stopped(slot: GitRepo) -> None:
    diverged(slot)
    slot.git("cherry-pick", "theirs", ok=False)


def revert_stopped(slot: GitRepo) -> None:
    slot.commit("one", {"src/a.py": "1\n"})
    slot.commit("two", {"src/a.py": "2\n"})
    slot.git("revert", "--no-edit", "HEAD~1", ok=False)


def rebase_stopped(slot: GitRepo) -> None:
    diverged(slot)
    slot.git("rebase", "theirs", ok=False)
    slot.write("notes", "while rebasing\n")


def rebase_with_autostash(slot: GitRepo) -> None:
    diverged(slot)
    slot.write("README.md", "in the autostash\n")
    slot.git("rebase", "--autostash", "theirs", ok=False)


def am_stopped(slot: GitRepo) -> None:
    diverged(slot)
    patch = slot.git("format-patch", "--stdout", "-1", "theirs") + "\n"
    slot.git("am", "-3", stdin=patch.encode("utf-8", "surrogateescape"), ok=False)


def bisecting(slot: GitRepo) -> None:
    for number in range(4):
        slot.commit(f"c{number}", {"n": f"{number}\n"})
    slot.git("bisect", "start", "HEAD", "HEAD~4")


def links_of_all_kinds(slot: GitRepo) -> None:
    for name, target in (
        ("loop", "loop"),
        ("ping", "pong"),
        ("pong", "ping"),
        ("to-folder", "src"),
        ("out", "../../.."),
        ("absolute", "/etc"),
        ("through", "to-folder/a.py"),
        ("long", "x" * 300),
    ):
        (slot.path / name).symlink_to(target)
    Path(os.fsdecode(os.fsencode(slot.path) + b"/bytes")).symlink_to(os.fsdecode(b"\xff\n"))
    (slot.path / "README.md").unlink()
    (slot.path / "README.md").symlink_to("README.md")
    slot.git("add", "loop", "to-folder", "README.md")


def renamed_in_case_alone(slot: GitRepo) -> None:
    slot.git("mv", "README.md", "Readme.md")
    (slot.path / "src/a.py").rename(slot.path / "src/A.py")
    slot.git("mv", "src/b.py", "src/c.py")
    slot.write("src/c.py", "renamed and edited\n")


def deleted_and_there_again(slot: GitRepo) -> None:
    slot.git("rm", "-q", "--cached", "README.md", "src/a.py")
    slot.write("src/a.py", "another, untracked\n")
    slot.git("rm", "-q", "src/b.py")
    slot.write("src/b.py", "again\n")
    slot.git("add", "-N", "src/b.py")
    slot.write("gone", "x\n")
    slot.git("add", "gone")
    (slot.path / "gone").unlink()


def swapped_and_staged(slot: GitRepo) -> None:
    file_becomes_folder(slot)
    slot.git("add", "-A")
    (slot.path / "src").unlink()
    slot.write("src/again", "a folder after all\n")


def hidden_deletion(slot: GitRepo) -> None:
    slot.git("update-index", "--assume-unchanged", "src/a.py", "README.md")
    (slot.path / "src/a.py").unlink()
    (slot.path / "README.md").chmod(0o755)


def detached_with_commits(slot: GitRepo) -> None:
    slot.git("checkout", "-q", "--detach")
    slot.commit("only here", {"x": "1\n"})
    slot.write("x", "and more\n")


def references_of_its_own(slot: GitRepo) -> None:
    slot.git("checkout", "-q", "--detach")
    mine = slot.commit("only in refs/worktree", {"x": "1\n"})
    slot.git("reset", "-q", "--hard", "HEAD~1")
    slot.git("update-ref", "refs/worktree/mine", mine)


def lock_left_behind(slot: GitRepo) -> None:
    staged_and_unstaged(slot)
    index = Path(slot.git("rev-parse", "--git-path", "index"))
    (slot.path / index).with_name("index.lock").write_bytes(b"half an index")


def streamed_by_git(slot: GitRepo) -> None:
    """Above git's threshold, where it neither filters nor compares."""
    slot.git("config", "core.bigFileThreshold", "100k")
    slot.write("large", b"line\r\n" * 100_000 + b"\0")
    slot.git("add", "large")
    slot.write("large", b"line\r\n" * 100_001 + b"\0")


def merge_not_committed(slot: GitRepo) -> None:
    slot.git("branch", "theirs")
    slot.commit("mine", {"mine": "1\n"})
    slot.git("checkout", "-q", "theirs")
    slot.commit("theirs", {"theirs": "1\n"})
    slot.git("checkout", "-q", "plan/x")
    slot.git("merge", "-q", "--no-commit", "theirs")
    slot.write("theirs", "edited\n")


def merge_with_edits_and_deletions(slot: GitRepo) -> None:
    merge_stopped(slot)
    (slot.path / "src/a.py").unlink()
    slot.write("both.txt", "half resolved\n<<<<<<<\n")
    (slot.path / "docs/guide.md").chmod(0o755)


def squashed(slot: GitRepo) -> None:
    merge_not_committed(slot)
    slot.git("reset", "-q", "--hard")
    slot.git("merge", "-q", "--squash", "theirs")


def rebase_stopped_to_edit(slot: GitRepo) -> None:
    for number in range(3):
        slot.commit(f"c{number}", {"n": f"{number}\n"})
    slot.git(
        "-c", "sequence.editor=sed -i -e 1s/pick/edit/ -e 2aexec=true", "rebase", "-i", "HEAD~3", ok=False
    )
    slot.write("n", "edited\n")
    slot.git("add", "n")
    slot.write("n", "edited again\n")


def cherry_pick_of_many(slot: GitRepo) -> None:
    diverged(slot)
    slot.git("checkout", "-q", "theirs")
    for number in range(2):
        slot.commit(f"more {number}", {"more": f"{number}\n"})
    slot.git("checkout", "-q", "plan/x")
    slot.git("cherry-pick", "main..theirs", ok=False)


CASES: tuple[tuple[Callable[[GitRepo], None], str | None], ...] = (
    (staged_and_unstaged, None),
    (staged_then_put_back_on_disk, None),
    (deletions, None),
    (same_size_in_the_same_tick, None),
    (modes_and_links, None),
    (file_becomes_folder, None),
    (folder_becomes_link, None),
    (folder_becomes_link_to_the_same_names, None),
    (odd_names, None),
    (line_endings, None),
    (line_endings_alone, None),
    (refused_by_safecrlf, None),
    (lossy_filter, None),
    (hidden_by_marks, None),
    (intent_to_add, None),
    (split_index, None),
    (index_version_and_caches, None),
    (links_of_all_kinds, None),
    (renamed_in_case_alone, None),
    (deleted_and_there_again, None),
    (swapped_and_staged, None),
    (hidden_deletion, None),
    (detached_with_commits, None),
    (references_of_its_own, None),
    (lock_left_behind, None),
    (streamed_by_git, None),
    (squashed, None),
    (merge_stopped, "merging"),
    (merge_half_resolved, "merging"),
    (merge_all_unmerged, "merging"),
    (merge_not_committed, "merging"),
    (merge_with_edits_and_deletions, "merging"),
    (rebase_stopped_to_edit, "rebasing"),
    (cherry_pick_of_many, "cherry-picking"),
    (cherry_pick_stopped, "cherry-picking"),
    (revert_stopped, "reverting"),
    (rebase_stopped, "rebasing"),
    (rebase_with_autostash, "rebasing"),
    (am_stopped, "applying"),
    (bisecting, "bisecting"),
)
