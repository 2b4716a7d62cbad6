"""What is in a worktree; and the lock files of a slot."""

from __future__ import annotations

import pytest

from tests.support import scenes
from tests.support.repo import GitRepo
from worktrees.errors import NotARepositoryError
from worktrees.git import Git
from worktrees.repository import find
from worktrees.slotlocks import remove_slot_locks
from worktrees.state import Change, ChangeKind, Condition, worktree_state


def test_clean_and_dirty(repo: GitRepo, slot: GitRepo, git: Git) -> None:
    assert worktree_state(git, slot.path).condition is Condition.CLEAN
    slot.write("a b\n", "x\n")
    slot.write("src/a.py", "y\n")
    state = worktree_state(git, slot.path)
    assert state.condition is Condition.DIRTY
    assert state.changes == (
        Change("src/a.py", ".M", ChangeKind.TRACKED),
        Change("a b\n", "??", ChangeKind.UNTRACKED),
    )
    assert worktree_state(git, repo.path).condition is Condition.CLEAN


@pytest.mark.parametrize(
    ("work", "condition"),
    [
        (scenes.merge_stopped, Condition.MERGING),
        (scenes.rebase_stopped, Condition.REBASING),
        (scenes.cherry_pick_stopped, Condition.CHERRY_PICKING),
        (scenes.revert_stopped, Condition.REVERTING),
        (scenes.am_stopped, Condition.APPLYING),
        (scenes.bisecting, Condition.BISECTING),
    ],
)
def test_in_the_middle_of_something(slot: GitRepo, git: Git, work: object, condition: Condition) -> None:
    assert callable(work)
    work(slot)
    assert worktree_state(git, slot.path).condition is condition


def test_apply_backend_and_between_two_picks(slot: GitRepo, git: Git) -> None:
    scenes.diverged(slot)
    slot.git("rebase", "--apply", "theirs", ok=False)
    assert worktree_state(git, slot.path).condition is Condition.REBASING
    slot.git("rebase", "--abort")
    slot.git("cherry-pick", "theirs", "main", ok=False)
    slot.git("rm", "-q", "docs/guide.md")
    slot.write("src/a.py", "resolved\n")
    slot.git("add", "-A")
    slot.git("commit", "-qm", "by hand, without --continue")
    assert not (find(slot.path).git_dir / "CHERRY_PICK_HEAD").exists()
    assert worktree_state(git, slot.path).condition is Condition.CHERRY_PICKING


def test_a_worktree_whose_git_file_is_gone_is_not_taken_for_the_one_above(repo: GitRepo, git: Git) -> None:
    repo.git("worktree", "add", "-q", "--detach", "inner")
    (repo.path / "inner/.git").unlink()
    with pytest.raises(NotARepositoryError):
        worktree_state(git, repo.path / "inner")
    stranger = GitRepo.copy_of(repo.path, repo.path.parent / "stranger")
    with pytest.raises(NotARepositoryError):
        worktree_state(git, stranger.path)


def test_s1_7_only_a_slots_own_locks_go(repo: GitRepo, slot: GitRepo, git: Git) -> None:
    fcntl = pytest.importorskip("fcntl")
    own, shared = find(slot.path).git_dir, git.repository.common_dir
    for lock in (own / "index.lock", own / "HEAD.lock", shared / "index.lock", shared / "config.lock"):
        lock.touch()
    assert remove_slot_locks(git, repo.path) == ()
    with (git.repository.state_dir / "git-write.lock").open("ab") as child:
        fcntl.flock(child, fcntl.LOCK_SH)
        assert remove_slot_locks(git, slot.path) == (), "a git child of some planctl is alive"
    assert remove_slot_locks(git, slot.path) == ("HEAD.lock", "index.lock")
    assert (shared / "index.lock").exists()
    assert (shared / "config.lock").exists()
    assert remove_slot_locks(git, slot.path) == ()
