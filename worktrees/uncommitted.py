"""Which files of a worktree are edited at this moment: asked often, so as cheaply as git can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.state import operation_in, own_git_dir, status
from worktrees.unread import Unread, read_or_why

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

ONE_THREAD: Final = ("-c", "core.preloadIndex=false")
"""Else git spreads the look over all processors: sooner done, for a seventh more work."""


def uncommitted(git: Git, worktree: Path) -> tuple[str, ...] | Unread:
    """The uncommitted paths that a commit of everything would take in, sorted.

    In the middle of a merge, a rebase or the like nothing can be told: what is in the worktree then is also
    what others did. Repositories inside are left out.
    """
    return read_or_why(worktree, lambda: _read(git, worktree))


def _read(git: Git, worktree: Path) -> tuple[str, ...] | Unread:
    operation = operation_in(own_git_dir(git, worktree))
    if operation is not None:
        return Unread(f"it is {operation}")
    changes = status(git, worktree, settings=ONE_THREAD)
    return tuple(sorted(change.path for change in changes if not change.path.endswith("/")))
