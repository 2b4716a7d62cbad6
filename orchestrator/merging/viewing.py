"""One read of the queue for one decision: who is there, and what of the world decides who may go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.merging.ahead import DEPTH
from orchestrator.merging.foresight import Line
from orchestrator.merging.lanes import BY_STACKS
from orchestrator.merging.planner import QueueView, line
from orchestrator.planning.cost import LARGEST
from orchestrator.states import OPEN_ENTRIES
from orchestrator.submitting.landed import landed_plans
from orchestrator.submitting.stacking import refused_plans, unlanded_stacks
from orchestrator.submitting.standstill import freeze_of, standstill

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


def queue_view(bench: Workbench, tip: str) -> QueueView:
    """What there is; whether the queue stands still is not in it, nor what a tenure has tried in vain."""
    entries = tuple(bench.store.entries(target=bench.target, states=OPEN_ENTRIES))
    awaited = sorted({plan for entry in entries for plan in entry.after})
    return QueueView(
        entries,
        landed=frozenset(landed_plans(bench, awaited, tip)),
        failed=refused_plans(bench, awaited),
        unlanded=unlanded_stacks(bench, entries),
        freeze=freeze_of(bench.store, bench.target),
    )


def foreseen(bench: Workbench, unit: tuple[Entry, ...], tip: str, later: frozenset[str], size: int) -> Line:
    """``unit`` and who comes after it, ``size`` at each turn; nobody after it while the queue is paused.

    Where one of ``unit`` has been frozen meanwhile it is not to land, and the others come without it.
    """
    project, paused = bench.settings.project, standstill(bench.store, bench.target, tip)
    most = LARGEST if project.queue in BY_STACKS else DEPTH * size
    most *= project.checks_at_once
    view = replace(queue_view(bench, tip), paused=paused, later=later)
    at_turn, freeze = {entry.id for entry in unit}, view.freeze
    if freeze and any(freeze.holds(entry.priority) for entry in view.entries if entry.id in at_turn):
        return Line(line(view, (), most), 0, size)
    return Line((*unit, *line(view, unit, most)), len(unit), size)
