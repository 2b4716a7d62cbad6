"""Reading a worktree in which others are at work: what was found, or one line why it could not be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from worktrees.errors import GitFailedError, NotARepositoryError, said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Unread:
    """It could not be told what is in a worktree; ``why`` is for people."""

    why: str


def read_or_why(worktree: Path, read: Callable[[], _T | Unread]) -> _T | Unread:
    """What ``read`` finds in ``worktree``; it may be damaged, or vanish meanwhile."""
    if not worktree.is_dir():
        return Unread("its worktree is gone")
    try:
        return read()
    except NotARepositoryError:
        return Unread("its worktree is damaged: no .git there leads to this repository")
    except GitFailedError as error:
        return Unread(f"its worktree cannot be read: {said(error.stderr)}")
    except OSError as error:
        return Unread(f"its worktree cannot be read: {error.strerror}")
