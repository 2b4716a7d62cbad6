"""One read of the queue of a target, from the store and the target's landed work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.merging.planner import QueueView
from orchestrator.states import OPEN_ENTRIES
from orchestrator.submitting.landed import landed_plans
from orchestrator.submitting.stacking import refused_plans, unlanded_stacks

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench


def queue_view(bench: Workbench, tip: str) -> QueueView:
    """The queue while the target is at ``tip``: what has not ended, and what came of what that waits for."""
    entries = tuple(bench.store.entries(target=bench.target, states=OPEN_ENTRIES))
    awaited = sorted({plan for entry in entries for plan in entry.after})
    return QueueView(
        entries,
        landed=frozenset(landed_plans(bench, awaited, tip)),
        failed=refused_plans(bench, awaited),
        unlanded=unlanded_stacks(bench, entries),
    )
