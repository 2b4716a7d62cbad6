"""What can go wrong when a rescue is brought back, as types with fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class RestoreRefusedError(PlanctlError):
    """A rescue was not brought back because that would overwrite something; nothing has changed.

    ``paths`` are the names in the way, relative to ``path`` (``has_choice``: overwriting or skipping would
    do); ``base`` is the commit that the rescued work stood on, for whoever wants a worktree of it.
    """

    def __init__(self, path: Path, reason: str, paths: Sequence[str] = (), base: str | None = None,
                 *, has_choice: bool = False) -> None:  # fmt: skip
        self.path = path
        self.reason = reason
        self.paths = tuple(paths)
        self.base = base
        self.has_choice = has_choice
        super().__init__(f"nothing was restored into {path}: {reason}")


class HalfRestoredError(PlanctlError):
    """A restore into a worktree was cut short, and cannot be taken back as things are; nothing is lost."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"a restore into {path} was cut short and is not taken back yet: {reason}")


class UnknownRescueError(PlanctlError):
    """A reference that is no snapshot made by planctl."""

    def __init__(self, reference: str, reason: str) -> None:
        self.reference = reference
        self.reason = reason
        super().__init__(f"{reference!r} is not a rescue: {reason}")


class RestoreTakenBackError(PlanctlError):
    """A restore failed and was taken back; ``rescued`` keeps edits of that time, ``moved`` is HEAD's branch.

    That branch stands somewhere else by now, so HEAD was left detached at the commit before.
    """

    def __init__(self, path: Path, reason: str, rescued: str | None, moved: str) -> None:
        self.path = path
        self.reason = reason
        self.rescued = rescued
        self.moved = moved
        kept = f"; what you changed there meanwhile is kept at {rescued}" if rescued else ""
        super().__init__(f"the restore into {path} is taken back{kept}{detached(moved)}: {reason}")


def detached(moved: str) -> str:
    """That HEAD could not go back onto its branch; empty where none has moved."""
    return f"; HEAD is detached where it was, since {moved} has moved on" if moved else ""
