"""What still keeps one plan from starting, or from being queued: pure questions to a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestrator.scheduling.reasons import Code, Reason, reason
from orchestrator.states import ACTIVE_ATTEMPTS, WORKING_ATTEMPTS, AttemptState
from plans.graph import EdgeReason
from plans.model import Until
from plans.project import OverlapMode

if TYPE_CHECKING:
    from orchestrator.scheduling.view import View
    from plans.graph import Edge
    from plans.ids import PlanId
    from plans.model import Dependency

_A = AttemptState
_DONE_WORK = frozenset({_A.FINISHED, _A.QUEUED, _A.CONFLICTED, _A.REJECTED, _A.LANDED})
_BEGUN = _DONE_WORK | {_A.RUNNING, _A.PREPARED, _A.FAILED, _A.TIMED_OUT}
_GONE = frozenset({_A.FAILED, _A.TIMED_OUT, _A.CANCELLED})


def unmet_dependency(view: View, dependency: Dependency) -> Reason | None:
    """Why ``dependency`` is not fulfilled yet, or None."""
    other, state = dependency.plan, view.state(dependency.plan)
    if state is None:
        return _unmet_outside(view, dependency)
    if state is _A.LANDED or _is_met(view, dependency, state):
        return None
    if state in _GONE:
        return reason(Code.DEPENDENCY_FAILED, other, f"has {_past(state)}")
    stuck = view.stuck(other)
    if stuck and dependency.until is Until.LANDED:
        return reason(Code.DEPENDENCY_REJECTED, other, stuck)
    if dependency.until is Until.LANDED and not view.options.land and state in _DONE_WORK:
        return reason(Code.NO_LAND, other)
    return reason(Code.DEPENDENCY, other, _wanted(dependency))


def _unmet_outside(view: View, dependency: Dependency) -> Reason | None:
    """A plan that is no part of this run counts only by what it has landed or completed."""
    done = dependency.until is Until.PHASE and (dependency.plan, dependency.phase) in view.phases
    if done or dependency.plan in view.landed:
        return None
    return reason(Code.DEPENDENCY_FAILED, dependency.plan, "has not landed and is no part of this run")


def _is_met(view: View, dependency: Dependency, state: AttemptState) -> bool:
    match dependency.until:
        case Until.LANDED:
            return state is _A.LANDED
        case Until.FINISHED:
            return state in _DONE_WORK
        case Until.STARTED:
            return state in _BEGUN
        case Until.PHASE:
            return state in _DONE_WORK or (dependency.plan, dependency.phase) in view.phases
        case _ as never:
            assert_never(never)


def _wanted(dependency: Dependency) -> str:
    return f"phase {dependency.phase}" if dependency.phase else str(dependency.until)


def _past(state: AttemptState) -> str:
    return "been cancelled" if state is _A.CANCELLED else str(state).replace("_", " ")


def meets_in_this_run(view: View, plan: PlanId) -> Reason | None:
    """Why overlaps and conflicts with plans of the same run keep ``plan`` from starting, or None."""
    for edge in view.graph.predecessors(plan):
        if edge.why is EdgeReason.OVERLAP and edge.until is Until.LANDED:
            state = view.state(edge.before)
            if state in ACTIVE_ATTEMPTS | {_A.PENDING, _A.WAITING} and not _waits_for(view, edge):
                return reason(Code.OVERLAP, edge.before, edge.detail)
    rivals = {*view.plan(plan).conflicts_with}
    for other in view.working():
        if other in rivals or plan in view.plan(other).conflicts_with:
            return reason(Code.CONFLICT, other)
    return None


def _waits_for(view: View, edge: Edge) -> bool:
    """A plan held up by a stuck landing does not hold up others for an overlap alone."""
    stuck = view.stuck(edge.before)
    return stuck is not None


def meets_elsewhere(view: View, plan: PlanId) -> Reason | None:
    """Why plans of other runs keep ``plan`` from starting, or None."""
    rivals = {*view.plan(plan).conflicts_with}
    for other in view.foreign:
        if other.plan == plan:
            return reason(Code.PLAN_ACTIVE, run=other.run)
        if other.working and (other.plan in rivals or plan in other.conflicts_with):
            return reason(Code.CONFLICT, other.plan, run=other.run)
        if plan in other.meets and view.options.mode is not OverlapMode.ISOLATE:
            return reason(Code.OVERLAP, other.plan, other.meets[plan], run=other.run)
    return None


def lacking_resource(view: View, plan: PlanId) -> Reason | None:
    """Which resource is used up by plans at work, in this run or another, or None. Capacity is 1 unless set."""
    wanted = view.plan(plan).resources
    for name in sorted(wanted):
        used = sum(view.plan(p).resources.get(name, 0) for p in view.working())
        used += sum(f.resources.get(name, 0) for f in view.foreign if f.working)
        if used + wanted[name] > view.capacities.get(name, 1):
            return reason(Code.RESOURCE, detail=name)
    return None


def lands_behind(view: View, plan: PlanId) -> Reason | None:
    """Which plan a finished one must land behind, or None when it may be queued now.

    Stacked work lands only after what it is stacked on has landed. An overlap orders landings only as
    long as the other plan may still land.
    """
    for dependency in view.plan(plan).dependencies:
        state = view.state(dependency.plan)
        if dependency.is_stacked and state is not None and state is not _A.LANDED:
            return reason(Code.ORDER, dependency.plan, stacked=True)
    for edge in view.graph.predecessors(plan):
        state = view.state(edge.before)
        may_land = state in ACTIVE_ATTEMPTS | {_A.PENDING, _A.WAITING} and not view.stuck(edge.before)
        if edge.why is EdgeReason.OVERLAP and may_land:
            return reason(Code.ORDER, edge.before)
    return None


def is_working(state: AttemptState | None) -> bool:
    """Whether an attempt in ``state`` takes a place."""
    return state in WORKING_ATTEMPTS
