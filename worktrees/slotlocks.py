"""Lock files that a killed git child left in a slot. See also ``docs/queue.md`` on locks of references.

A commit locks the slot's HEAD first, and its branch, which lies in the folder that all worktrees share, while
it holds that lock. So the branch's lock is the slot's exactly while the lock on the slot's HEAD is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.state import own_git_dir
from worktrees.symbolic import end_of

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git


def remove_slot_locks(git: Git, worktree: Path) -> tuple[str, ...]:
    """Remove ``*.lock`` files from the git folder of a slot, and its branch's; return the removed.

    Whoever calls has shown that the slot's process tree is gone; that no git child of any planctl is alive
    is checked here, and otherwise nothing is removed. A main checkout's locks are the user's: never touched.
    Names are relative to the slot's git folder, that of the branch to the common one.
    """
    with git.exclusive_writes() as alone:
        if not alone:
            return ()
        names = slot_locks(git, worktree)
        git_dir = own_git_dir(git, worktree)
        remove_branch_lock(git, git_dir)
        for path in (git_dir / name for name in names if not name.startswith("refs/heads/")):
            with step("slot.unlock"):
                path.unlink(missing_ok=True)
    return names


def slot_locks(git: Git, worktree: Path) -> tuple[str, ...]:
    """The lock files in a slot's git folder, and that of its branch; nothing is changed."""
    git_dir = own_git_dir(git, worktree)
    if git_dir == git.repository.common_dir:
        return ()
    own = sorted(path.relative_to(git_dir).as_posix() for path in git_dir.rglob("*.lock") if path.is_file())
    branch = _branch_lock(git, git_dir)
    return (*own, branch.relative_to(git.repository.common_dir).as_posix()) if branch else tuple(own)


def remove_branch_lock(git: Git, git_dir: Path) -> None:
    """Remove the lock on the branch of the slot with that git folder, if it is the slot's; see above."""
    lock = _branch_lock(git, git_dir)
    if lock is not None:
        with step("slot.unlock"):
            lock.unlink(missing_ok=True)


def _branch_lock(git: Git, git_dir: Path) -> Path | None:
    branch = end_of(git_dir, "HEAD")
    lock = git.repository.common_dir / f"{branch}.lock"
    held = branch.startswith("refs/heads/") and (git_dir / "HEAD.lock").exists() and lock.is_file()
    return lock if held else None
