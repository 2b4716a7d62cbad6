"""Processes that work in a slot and belong to nobody, once the supervisor that would end them is dead.

A daemon that left its parents, its session and its environment is found by its supervisor alone, as the
reaper of its tree. Where that one was killed, such a daemon would go on to write into the next plan's work.
It cannot be proved to be the plan's, so it is not ended: its slot is set aside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.running.platforms import processes_in
from orchestrator.states import AttemptState
from worktrees.errors import RescueIncompleteError

if TYPE_CHECKING:
    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench


def require_no_strangers(bench: Workbench, slot: Slot) -> None:
    """Raise RescueIncompleteError for a slot whose attempt lost its supervisor, and which a process is in.

    Processes can be told by their current folder on Linux only.
    """
    attempt = bench.store.attempt(slot.attempt) if slot.attempt else None
    if attempt is None or attempt.state is not AttemptState.LOST:
        return
    inside = processes_in(slot.path)
    if inside:
        pids = ", ".join(map(str, inside))
        raise RescueIncompleteError(Path(slot.path), f"a process that nobody watches is in it (pid {pids})")
