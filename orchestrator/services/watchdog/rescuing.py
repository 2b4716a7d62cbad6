"""Uncommitted work in the worktrees where a dead session had tasks; loaded only when there is some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.slots.keeper import PLAN, SlotKeeper
from worktrees.errors import RescueIncompleteError

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench


def rescue_at(bench: Workbench, worktree: str) -> tuple[str | None, str]:
    """Capture what is uncommitted there, without touching it.

    The reference, None when there is nothing; and what could not be captured, in words: another try would
    not have it either, and it stays where it is. Only in slots of the pool: any other worktree is its user's.
    """
    found = [s for s in bench.store.slots(purpose=PLAN) if Path(s.path) == Path(worktree)]
    try:
        return (SlotKeeper(bench).save(found[0]) if found else None), ""
    except RescueIncompleteError as error:
        return error.reference, str(error)
