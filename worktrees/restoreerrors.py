"""What a restore that was taken back has to say besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.errors import PlanctlError

if TYPE_CHECKING:
    from pathlib import Path


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
        super().__init__(f"{reason}; the restore into {path} is taken back{kept}{detached(moved)}")


def detached(moved: str) -> str:
    """That HEAD could not go back onto its branch; empty where none has moved."""
    return f"; HEAD is detached where it was, since {moved} has moved on" if moved else ""
