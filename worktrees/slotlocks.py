"""Lock files that a killed git child left in a slot. See also ``docs/queue.md`` on locks of references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.state import own_git_dir

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git


def remove_slot_locks(git: Git, worktree: Path) -> tuple[str, ...]:
    """Remove ``*.lock`` files from the git folder of a slot; return their names relative to it.

    Whoever calls has shown that the slot's process tree is gone; that no git child of any planctl is alive
    is checked here, and otherwise nothing is removed. A main checkout's locks are the user's: never touched,
    and neither is anything in the folder that all worktrees share.
    """
    git_dir = own_git_dir(git, worktree)
    if git_dir == git.repository.common_dir:
        return ()
    with git.exclusive_writes() as alone:
        if not alone:
            return ()
        locks = sorted(path for path in git_dir.rglob("*.lock") if path.is_file())
        for lock in locks:
            with step("slot.unlock"):
                lock.unlink()
    return tuple(lock.relative_to(git_dir).as_posix() for lock in locks)
