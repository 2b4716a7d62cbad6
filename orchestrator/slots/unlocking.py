"""Locks that killed git children left in a slot, taken away before its work is committed or moved on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName
from worktrees.slotlocks import remove_slot_locks, slot_locks

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.workbench import Workbench

PATIENCE: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries while git children of some planctl live: they may be the ones that hold the locks."""


def unlock(bench: Workbench, worktree: Path) -> None:
    """Remove the locks of a slot in which nothing lives any more; what stays, git tells of.

    The caller has seen the end of everything that ran in ``worktree``.
    """
    for seconds in (*PATIENCE, None):
        if not slot_locks(bench.git, worktree):
            return
        removed = remove_slot_locks(bench.git, worktree)
        if removed:
            bench.store.emit(EventName.LOCKS_REMOVED, at=bench.clock.now(), locks=list(removed))
        elif seconds is not None:
            bench.clock.wait(threading.Event(), seconds)
