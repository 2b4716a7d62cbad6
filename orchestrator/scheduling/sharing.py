"""What to do now, given what the host's other runs leave: decide, ask for what the starts want, decide anew.

Only a plan that everything else lets start is asked for. What the host refuses goes into the view, so the
plan waits with that reason, and takes neither a place nor its files from those behind it in the same round:

1. decide
2. for each start in order: take its places. At the first refusal, all plans from there on that want as much
   of the same also lack it; back to 1
3. all starts have what they want: these are the decisions
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.scheduling.decide import Start, decide
from orchestrator.scheduling.reasons import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.scheduling.decide import Decision
    from orchestrator.scheduling.hostshare import HostShare
    from orchestrator.scheduling.reasons import Reason
    from orchestrator.scheduling.view import View
    from plans.ids import PlanId


def decide_sharing(view: View, share: HostShare) -> tuple[View, tuple[Decision, ...]]:
    """Return the view with what the host lacks, and the decisions in it; their starts hold their places.

    Raises HostFolderError.
    """
    while True:
        decisions = decide(view)
        refused = _first_refused(view, decisions, share)
        if not refused:
            return view, decisions
        view = replace(view, host_lacks={**view.host_lacks, **refused})


def _first_refused(view: View, decisions: tuple[Decision, ...], share: HostShare) -> Mapping[PlanId, Reason]:
    """Take places for one start after another; at the first refusal, who lacks what was refused."""
    had: set[PlanId] = set()
    for decision in decisions:
        if not isinstance(decision, Start):
            continue
        plan = decision.plan
        why = share.take(view.attempts[plan].id, _wanted(view, plan))
        if why is not None:
            others = view.graph.plans.keys() - had - view.host_lacks.keys()
            return {other: why for other in others if _wants_as_much(view, other, plan, why)}
        had.add(plan)
    return {}


def _wants_as_much(view: View, other: PlanId, refused: PlanId, why: Reason) -> bool:
    if why["code"] == Code.BUILD_SLOTS:
        return True
    name = why["detail"]
    return _wanted(view, other).get(name, 0) >= _wanted(view, refused)[name]


def _wanted(view: View, plan: PlanId) -> dict[str, int]:
    """What a plan that starts wants; only one that was deferred may have completed a phase."""
    return view.held(plan)
