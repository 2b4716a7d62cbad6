"""Who starts, who waits and why, who is passed over: one pure function of a view.

The order in which plans are looked at is that of the graph (dependencies first, then priority, then the
longer remaining path, then id), so that among plans that exclude each other the same one always wins.
Each start and each new attempt is entered into the view before the next plan is looked at: two plans that
exclude each other never start in the same round, and nobody is passed over, or let go ahead, because of an
attempt that is about to be made again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.scheduling import needs
from orchestrator.scheduling.reasons import Code, Reason, reason
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.scheduling.view import View
    from plans.ids import PlanId

_A = AttemptState
_PAST = frozenset({_A.LANDED, _A.CANCELLED})
"""Nothing is decided about these any more; of a long run they are most."""


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
        if view.state(plan) in _PAST:
            continue
        decision = _decide_one(view, plan)
        if decision is None:
            continue
        decisions.append(decision)
        view = _with(view, decision)
    if any(not isinstance(d, Wait) for d in decisions) or _can_move(view):
        return tuple(decisions)
    hopeless = _hopeless(view)
    return tuple(hopeless) if hopeless else (*decisions, End())


def _with(view: View, decision: Decision) -> View:
    """The view in which the plans that come after this one are looked at."""
    match decision:
        case Start(plan):
            has_one = view.state(plan) is _A.DEFERRED
            places = replace(view.places, free=view.places.free - (not has_one)) if view.places else None
            return replace(_moved(view, plan, _A.PREPARING), places=places)
        case Again(plan):
            phases = {key: commit for key, commit in view.phases.items() if key[0] != plan}
            return replace(_moved(view, plan, _A.PENDING), phases=phases)
        case _:
            return view


def _moved(view: View, plan: PlanId, state: AttemptState) -> View:
    return replace(view, attempts={**view.attempts, plan: replace(view.attempts[plan], state=state)})


def _decide_one(view: View, plan: PlanId) -> Decision | None:
    match view.state(plan):
        case _A.PENDING | _A.WAITING:
            return _decide_waiting(view, plan)
        case _A.DEFERRED:
            return _decide_deferred(view, plan)
        case _A.FINISHED if view.options.land:
            behind = needs.lands_behind(view, plan) or needs.leaked(view, plan)
            return Wait(plan, behind) if behind else Enqueue(plan)
        case (_A.FAILED | _A.TIMED_OUT | _A.LOST) as state if view.goes_again(plan):
            return Again(plan, counted=state is not _A.LOST)
        case _:
            return None


def _decide_deferred(view: View, plan: PlanId) -> Decision:
    too_much = needs.over_capacity(view, plan)  # the settings may be others than when it began
    if too_much:
        return Skip(plan, too_much)
    later = view.limited.get(plan) or needs.keeps_deferred(view, plan)
    return Wait(plan, later) if later else Start(plan)


def _decide_waiting(view: View, plan: PlanId) -> Decision:
    if plan in view.unchanged:
        return ReportLanded(plan, view.unchanged[plan])
    unmet = [w for d in view.plan(plan).dependencies if (w := needs.unmet_dependency(view, d))]
    for need in unmet:
        if need["code"] == Code.DEPENDENCY_FAILED:
            return Skip(plan, need)
    failed = None if view.options.keep_going else view.failed
    if failed and view.attempts[plan].number == 1:  # a further attempt is no new plan
        return Skip(plan, reason(Code.STOPPED, failed))
    too_much = needs.over_capacity(view, plan)
    if too_much:
        return Skip(plan, too_much)
    why = (unmet[0] if unmet else None) or _hindrance(view, plan)
    return Wait(plan, why) if why else Start(plan)


def _hindrance(view: View, plan: PlanId) -> Reason | None:
    return (
        view.limited.get(plan)
        or needs.meets_in_this_run(view, plan)
        or needs.meets_elsewhere(view, plan)
        or needs.drifted_into(view, plan)
        or needs.reserved(view, plan)
        or needs.lacking_resource(view, plan)
        or needs.lacking_place(view)
        or view.host_lacks.get(plan)
    )


def _can_move(view: View) -> bool:
    """Whether something at work, in the queue or in another run may still change what was decided."""
    if view.working or any(a.state is _A.DEFERRED for a in view.attempts.values()):
        return True
    queued = [p for p, a in view.attempts.items() if a.state is _A.QUEUED]
    if view.options.land and any(view.stuck(plan) is None for plan in queued):
        return True  # a run that lands nothing is not there for what a person has handed in
    if view.places and view.places.coming and view.places.free < 1 and _waiting(view):
        return True
    return any(_waits_for_others(view, plan) for plan in _waiting(view))


def _waiting(view: View) -> tuple[PlanId, ...]:
    return tuple(p for p in view.graph.order() if view.state(p) in (_A.PENDING, _A.WAITING))


def _waits_for_others(view: View, plan: PlanId) -> bool:
    """Whether it waits for what moves by itself: other runs and sessions, space on the disk, memory.

    Nothing of this run works.
    """
    elsewhere = needs.meets_elsewhere(view, plan)
    if (elsewhere and not elsewhere.get("stuck")) or needs.lacking_resource(view, plan):
        return True
    if needs.drifted_into(view, plan) or plan in view.host_lacks:
        return True
    if (view.reserved or view.limited) and _waits_for(view, plan, Code.RESERVED, Code.RATE_LIMIT):
        return True
    short = (view.places and view.places.short) or view.memory
    if short and _waits_for(view, plan, Code.DISK_FLOOR, Code.MEMORY_FLOOR):
        return True
    unmet = [w for d in view.plan(plan).dependencies if (w := needs.unmet_dependency(view, d))]
    return any("run" in need for need in unmet)


def _waits_for(view: View, plan: PlanId, *codes: Code) -> bool:
    decision = _decide_waiting(view, plan)
    return isinstance(decision, Wait) and decision.why["code"] in codes


def _hopeless(view: View) -> list[Skip]:
    """Nothing moves: give up the plans that wait for something else than a plan that is itself held up here.

    What waits for one of those is not given up with it: it may go on without. All these waits follow the
    order of the graph, so as long as any plan waits there is one to give up.
    """
    waits = {p: d for p in _waiting(view) if isinstance(d := _decide_waiting(view, p), Wait)}
    held_up = {*waits, *_finished_behind(view, waits)}
    return [Skip(plan, d.why) for plan, d in waits.items() if d.why.get("plan") not in held_up]


def _finished_behind(view: View, waits: Mapping[PlanId, Wait]) -> set[PlanId]:
    """Finished plans that land behind one of ``waits``, or behind another such plan."""
    behind = {
        plan: why.get("plan")
        for plan in view.attempts
        if view.state(plan) is _A.FINISHED and (why := needs.lands_behind(view, plan))
    }
    found: set[PlanId] = set()
    while more := {p for p, other in behind.items() if other in waits or other in found} - found:
        found |= more
    return found
