"""Who starts, who waits and why, who is passed over: one pure function of a view.

The order in which plans are looked at is that of the graph (dependencies first, then priority, then the
longer remaining path, then id), so that among plans that exclude each other the same one always wins.
Each start and each new attempt is entered into the view before the next plan is looked at: two plans that
exclude each other never start in the same round, and nobody is passed over, or let go ahead, because of an
attempt that is about to be made again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.scheduling import needs
from orchestrator.scheduling.reasons import TERMINAL_WAITS, Code, Reason, reason
from orchestrator.states import MOVING_ENTRIES, AttemptState

if TYPE_CHECKING:
    from orchestrator.scheduling.view import View
    from plans.ids import PlanId

_A = AttemptState
MOST_LOST: Final = 5
"""A plan whose supervisor dies this often in one run has something killing it; it fails."""


@dataclass(frozen=True, slots=True)
class Start:
    """Prepare a worktree for the plan and start its command."""

    plan: PlanId


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the plan waiting, with this reason."""

    plan: PlanId
    why: Reason


@dataclass(frozen=True, slots=True)
class Skip:
    """Give the plan up for this run, with this reason."""

    plan: PlanId
    why: Reason


@dataclass(frozen=True, slots=True)
class ReportLanded:
    """The plan's very text has landed before; nothing to run."""

    plan: PlanId
    commit: str


@dataclass(frozen=True, slots=True)
class Again:
    """Make a new attempt: a retry that counts, or one for a lost supervisor that does not."""

    plan: PlanId
    counted: bool


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Hand the finished work to the merge queue."""

    plan: PlanId


@dataclass(frozen=True, slots=True)
class End:
    """Nothing of this run can move any more."""


Decision = Start | Wait | Skip | ReportLanded | Again | Enqueue | End


def decide(view: View) -> tuple[Decision, ...]:
    """Return what to do now, in the order in which to do it."""
    decisions: list[Decision] = []
    for plan in view.graph.order():
        decision = _decide_one(view, plan)
        if decision is None:
            continue
        decisions.append(decision)
        view = _with(view, decision)
    if any(not isinstance(d, Wait) for d in decisions) or _can_move(view):
        return tuple(decisions)
    return _when_nothing_moves(decisions)


def _with(view: View, decision: Decision) -> View:
    """The view in which the plans that come after this one are looked at."""
    match decision:
        case Start(plan):
            state = _A.PREPARING
        case Again(plan):
            state = _A.PENDING
        case _:
            return view
    return replace(view, attempts={**view.attempts, plan: replace(view.attempts[plan], state=state)})


def _decide_one(view: View, plan: PlanId) -> Decision | None:
    match view.state(plan):
        case _A.PENDING | _A.WAITING:
            return _decide_waiting(view, plan)
        case _A.FINISHED if view.options.land:
            behind = needs.lands_behind(view, plan)
            return Wait(plan, behind) if behind else Enqueue(plan)
        case _A.FAILED | _A.TIMED_OUT if view.counted.get(plan, 0) <= view.plan(plan).retries:
            return Again(plan, counted=True) if _may_retry(view, plan) else None
        case _A.LOST if view.lost.get(plan, 0) <= MOST_LOST:
            return Again(plan, counted=False)
        case _:
            return None


def _may_retry(view: View, plan: PlanId) -> bool:
    """Work that was refused is not mended by doing it once more."""
    return view.attempts[plan].reason.get("code") in ("exit-code", "signal", "timeout", "setup-failed")


def _decide_waiting(view: View, plan: PlanId) -> Decision:
    if plan in view.unchanged:
        return ReportLanded(plan, view.unchanged[plan])
    unmet = [w for d in view.plan(plan).dependencies if (w := needs.unmet_dependency(view, d))]
    for need in unmet:
        if need["code"] == Code.DEPENDENCY_FAILED:
            return Skip(plan, need)
    failed = _failed_plan(view)
    if failed and not view.options.keep_going:
        return Skip(plan, reason(Code.STOPPED, failed))
    why = (unmet[0] if unmet else None) or _hindrance(view, plan)
    return Wait(plan, why) if why else Start(plan)


def _hindrance(view: View, plan: PlanId) -> Reason | None:
    hindrance = (
        needs.meets_in_this_run(view, plan)
        or needs.meets_elsewhere(view, plan)
        or needs.lacking_resource(view, plan)
    )
    if hindrance is None and len(view.working()) >= view.options.jobs:
        return reason(Code.CAPACITY)
    return hindrance


def _failed_plan(view: View) -> PlanId | None:
    """A plan whose command failed for good in this run, if any."""
    for plan, attempt in view.attempts.items():
        if attempt.state in (_A.FAILED, _A.TIMED_OUT) and _decide_one(view, plan) is None:
            return plan
    return None


def _can_move(view: View) -> bool:
    """Whether something at work, in the queue or in another run may still change what was decided."""
    if view.working():
        return True
    for attempt in view.attempts.values():
        entry = view.entries.get(attempt.entry or "")
        if attempt.state is _A.QUEUED and (entry is None or entry.state in MOVING_ENTRIES):
            return True
    waits = [p for p in view.attempts if view.state(p) in (_A.PENDING, _A.WAITING)]
    return any(needs.meets_elsewhere(view, p) or needs.lacking_resource(view, p) for p in waits)


def _when_nothing_moves(decisions: list[Decision]) -> tuple[Decision, ...]:
    """Give up the plans that wait for what cannot come; if there are none, the run has ended."""
    hopeless = [
        Skip(d.plan, d.why) for d in decisions if isinstance(d, Wait) and d.why["code"] in TERMINAL_WAITS
    ]
    if hopeless:
        return tuple(hopeless)
    rest = [Skip(d.plan, d.why) for d in decisions if isinstance(d, Wait) and d.why["code"] != Code.ORDER]
    return tuple(rest) if rest else (*decisions, End())
