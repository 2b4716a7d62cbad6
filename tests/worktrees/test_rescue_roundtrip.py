"""Rescue, wreck, restore elsewhere: bytes, modes, links, index and operation are what they were."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.manifest import manifest
from tests.support.repo import GitRepo
from tests.support.scenes import (
    CASES,
    cherry_pick_stopped,
    merge_stopped,
    rebase_stopped,
    staged_and_unstaged,
)
from tests.support.slices import sampled
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import Rescued, list_rescues, rescue
from worktrees.restore import restore
from worktrees.state import operation_in

STAMP = "01J0000000000000000000000A"


def in_progress(git_dir: Path) -> dict[str, bytes]:
    """Files that say what is in progress: everything that a worktree's git folder does not always have."""
    always = {
        "HEAD",
        "ORIG_HEAD",
        "AUTO_MERGE",
        "FETCH_HEAD",
        "COMMIT_EDITMSG",
        "commondir",
        "gitdir",
        "index",
        "index.lock",  # of a git that died here; it is of no use anywhere else
    }
    files = [path for path in git_dir.rglob("*") if path.is_file() and path.name not in always]
    names = {path.relative_to(git_dir).as_posix(): path for path in files}
    return {n: p.read_bytes() for n, p in names.items() if not n.startswith(("logs/", "sharedindex."))}


def existing(repo: GitRepo, progress: dict[str, bytes]) -> set[str]:
    """The commits that those files name in full."""
    ids = {m.decode() for text in progress.values() for m in re.findall(rb"\b[0-9a-f]{40}\b", text)}
    answers = repo.git("cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in sorted(ids)))
    return {line.split(" ")[0] for line in answers.splitlines() if line.split(" ")[1] == "commit"}


@pytest.mark.parametrize(("work", "operation"), sampled(CASES), ids=lambda v: getattr(v, "__name__", ""))
def test_p9_rescue_and_restore_bring_back_everything(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path, work: Callable[[GitRepo], None], operation: str
) -> None:
    work(slot)
    base = slot.head()
    own = find(slot.path).git_dir
    index_bytes = (own / "index").read_bytes()
    before = manifest(repo, slot.path)
    progress = in_progress(own)
    needed = existing(repo, progress)
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert isinstance(done, Rescued)
    assert done.operation == operation
    assert (own / "index").read_bytes() == index_bytes, "the slot's index was touched"
    assert manifest(repo, slot.path) == before, "the slot was touched"

    repo.git("worktree", "remove", "--force", "--force", str(slot.path))
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    other = GitRepo(tmp_path / "other")
    repo.git("worktree", "add", "-q", "--detach", str(other.path), base)

    report = restore(git, done.reference, other.path)
    assert manifest(repo, other.path) == before
    assert report.operation == operation
    assert in_progress(find(other.path).git_dir) == progress
    assert existing(repo, progress) == needed, "an autostash and the like are kept from gc"
    assert operation_in(find(other.path).git_dir) == operation
    assert repo.git("fsck", "--no-dangling", "--no-progress") == ""
    assert [info.reference for info in list_rescues(git)] == [done.reference]


@pytest.mark.parametrize(
    ("work", "go_on", "branch_content"),
    [
        (merge_stopped, ("commit", "-qm", "merged"), "mine\n"),
        (rebase_stopped, ("rebase", "--continue"), "mine\n"),
        (cherry_pick_stopped, ("cherry-pick", "--continue"), "mine\n"),
    ],
    ids=["merge", "rebase", "cherry-pick"],
)
def test_p9_a_restored_operation_can_be_finished(
    repo: GitRepo,
    slot: GitRepo,
    git: Git,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[GitRepo], None],
    go_on: tuple[str, ...],
    branch_content: str,
) -> None:
    monkeypatch.setenv("GIT_EDITOR", "true")
    work(slot)
    base = slot.head()
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    repo.git("worktree", "remove", "--force", "--force", str(slot.path))
    other = GitRepo(tmp_path / "other")
    repo.git("worktree", "add", "-q", "--detach", str(other.path), base)
    restore(git, done.reference, other.path)
    for _ in range(3):
        other.write("src/a.py", branch_content)
        other.write("both.txt", branch_content)
        other.write("docs/guide.md", branch_content)
        other.git("add", "-A")
        other.git(*go_on, ok=False)
        if operation_in(find(other.path).git_dir) is None:
            break
    assert operation_in(find(other.path).git_dir) is None
    assert other.show("HEAD", "src/a.py") == branch_content


def test_untracked_file_deleted_for_good(repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path) -> None:
    """A rival deletes the untracked file that a landing's file takes the place of."""
    target = repo.commit("main has it now", {"notes.txt": "of main\n"})
    slot.write("notes.txt", "the user's own\n")
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    base = slot.head()
    slot.git("checkout", "-q", "--force", "--detach", target)
    slot.git("clean", "-ffdq")
    assert (slot.path / "notes.txt").read_text() == "of main\n"
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other), base)
    restore(git, done.reference, other)
    assert (other / "notes.txt").read_text() == "the user's own\n"


def test_staged_split_lost(repo: GitRepo, slot: GitRepo, git: Git) -> None:
    """A rival brings staged work back unstaged; here what was staged is, also into the same worktree."""
    staged_and_unstaged(slot)
    before = manifest(repo, slot.path)
    done = rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert done is not None
    slot.git("reset", "-q", "--hard")
    slot.git("clean", "-ffdq")
    restore(git, done.reference, slot.path)
    assert manifest(repo, slot.path) == before
    assert slot.git("show", ":src/a.py") == "staged"
