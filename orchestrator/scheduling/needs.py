"""What still keeps one plan from starting, or from being queued: pure questions to a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestrator.scheduling.reasons import Code, Reason, reason
from orchestrator.scheduling.view import MAY_LAND
from orchestrator.states import AttemptState
from plans.graph import EdgeReason
from plans.model import Until
from plans.project import OverlapMode

if TYPE_CHECKING:
    from orchestrator.scheduling.view import View
    from plans.ids import PlanId
    from plans.model import Dependency

_A = AttemptState
_DONE_WORK = frozenset({_A.FINISHED, _A.QUEUED, _A.CONFLICTED, _A.REJECTED, _A.LANDED})
_BEGUN = _DONE_WORK | {_A.RUNNING, _A.DEFERRED, _A.PREPARED, _A.FAILED, _A.TIMED_OUT}
_GONE = frozenset({_A.FAILED, _A.TIMED_OUT, _A.CANCELLED, _A.LOST})
"""Ended for good: what is to be done again is ``pending`` before the plans after it are looked at."""
_REFUSED = frozenset({_A.CONFLICTED, _A.REJECTED})


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
    if stuck:
        return reason(Code.DEPENDENCY_REJECTED, other, stuck)
    if dependency.until is Until.LANDED and not view.options.land and state in _DONE_WORK:
        return reason(Code.NO_LAND, other)
    return reason(Code.DEPENDENCY, other, _wanted(dependency))


def _unmet_outside(view: View, dependency: Dependency) -> Reason | None:
    """A plan that is no part of this run counts by what it has landed or completed.

    While it is at work in another run, it is waited for.
    """
    other = dependency.plan
    done = dependency.until is Until.PHASE and (other, dependency.phase) in view.phases
    if done or other in view.landed:
        return None
    for foreign in view.foreign:
        if foreign.plan == other and not foreign.stuck:
            if dependency.until is Until.STARTED and foreign.state in _BEGUN:
                return None
            return reason(Code.DEPENDENCY, other, _wanted(dependency), run=foreign.run)
    return reason(Code.DEPENDENCY_FAILED, other, "has not landed and is no part of this run")


def _is_met(view: View, dependency: Dependency, state: AttemptState) -> bool:
    """Nobody is stacked on work that has failed or was refused: it would share its fate."""
    match dependency.until:
        case Until.LANDED:
            return state is _A.LANDED
        case Until.FINISHED:
            return state in _DONE_WORK - _REFUSED
        case Until.STARTED:
            return state in _BEGUN
        case Until.PHASE:
            done = (dependency.plan, dependency.phase) in view.phases
            return state in _DONE_WORK - _REFUSED or (done and state not in _GONE | _REFUSED)
        case _ as never:
            assert_never(never)


def _wanted(dependency: Dependency) -> str:
    return f"phase {dependency.phase}" if dependency.phase else str(dependency.until)


def _past(state: AttemptState) -> str:
    return f"been {state}" if state in (_A.CANCELLED, _A.LOST) else str(state).replace("_", " ")


def meets_in_this_run(view: View, plan: PlanId) -> Reason | None:
    """Why overlaps and conflicts with plans of the same run keep ``plan`` from starting, or None."""
    for edge in view.graph.predecessors(plan):
        if edge.why is EdgeReason.OVERLAP and edge.until is Until.LANDED:
            if not _may_land(view, edge.before):
                continue
            if not view.options.land and view.state(edge.before) in _DONE_WORK:
                return reason(Code.NO_LAND, edge.before)
            return reason(Code.OVERLAP, edge.before, edge.detail)
    return _rival(view, plan)


def _rival(view: View, plan: PlanId) -> Reason | None:
    """A plan at work that ``plan`` is declared never to run beside, or None."""
    rivals = {*view.plan(plan).conflicts_with}
    for other in view.working:
        if other in rivals or plan in view.plan(other).conflicts_with:
            return reason(Code.CONFLICT, other)
    for foreign in view.foreign:
        if foreign.working and (foreign.plan in rivals or plan in foreign.conflicts_with):
            return reason(Code.CONFLICT, foreign.plan, run=foreign.run)
    return None


def keeps_deferred(view: View, plan: PlanId) -> Reason | None:
    """Why a deferred plan, whose time has come, does not go on yet, or None.

    It has its worktree and its files: others have waited for it. What it gave back is its place, its memory
    and its resources, and who must not run beside it may be at work.
    """
    if len(view.working) >= view.options.jobs:
        return reason(Code.CAPACITY)
    if view.memory is not None:
        return reason(Code.MEMORY_FLOOR, detail=str(view.memory))
    return (
        _begun_elsewhere(view, plan)
        or _rival(view, plan)
        or lacking_resource(view, plan)
        or view.host_lacks.get(plan)
    )


def _begun_elsewhere(view: View, plan: PlanId) -> Reason | None:
    """Which other run has begun ``plan`` anew while nobody conducted this one, and takes it over, or None."""
    runs = [other.run for other in view.foreign if other.plan == plan]
    return reason(Code.PLAN_ACTIVE, run=runs[0]) if runs else None


def _may_land(view: View, plan: PlanId) -> bool:
    """Whether a plan of this run may still land; one held up by a stuck landing does not hold up others."""
    return view.state(plan) in MAY_LAND and view.stuck(plan) is None


def meets_elsewhere(view: View, plan: PlanId) -> Reason | None:
    """Why plans of other runs keep ``plan`` from starting, or None.

    Finished work of another run that waits there for its turn to land is waited for by younger runs only
    (ids of runs rise with time): so two runs never wait for each other.
    """
    rivals = {*view.plan(plan).conflicts_with}
    for other in view.foreign:
        if other.plan == plan:
            return reason(Code.PLAN_ACTIVE, run=other.run, stuck=other.stuck)
        if other.working and (other.plan in rivals or plan in other.conflicts_with):
            return reason(Code.CONFLICT, other.plan, run=other.run)
        yields = other.stuck or (other.state is _A.FINISHED and other.run > view.run)
        if plan in other.meets and view.options.mode is not OverlapMode.ISOLATE and not yields:
            return reason(Code.OVERLAP, other.plan, other.meets[plan], run=other.run)
    return None


def drifted_into(view: View, plan: PlanId) -> Reason | None:
    """Which plan at work has changed a file of ``plan`` beside its own manifest and comes first, or None.

    Only one that gets on without ``plan`` is waited for: at work, or on its way to land. Work that lands
    behind others is not, since these may be waiting for ``plan`` in turn.
    """
    if view.options.mode is OverlapMode.ISOLATE:
        return None
    for other, touches in view.touches.items():
        if plan in touches and other != plan and _gets_on(view, other):
            return reason(Code.DRIFTED_INTO, other, touches[plan])
    for foreign in view.foreign:
        if plan in foreign.touches and not foreign.stuck and foreign.state is not _A.FINISHED:
            return reason(Code.DRIFTED_INTO, foreign.plan, foreign.touches[plan], run=foreign.run)
    return None


def _gets_on(view: View, plan: PlanId) -> bool:
    match view.state(plan):
        case _A.PREPARING | _A.RUNNING | _A.DEFERRED:
            return True
        case _A.FINISHED:
            return view.options.land and lands_behind(view, plan) is None
        case _A.QUEUED:
            return view.options.land and view.stuck(plan) is None
        case _:
            return False


def reserved(view: View, plan: PlanId) -> Reason | None:
    """Which session has reserved a file that ``plan`` declares to write, or None."""
    return None if view.options.mode is OverlapMode.ISOLATE else view.reserved.get(plan)


def over_capacity(view: View, plan: PlanId) -> Reason | None:
    """Which resource ``plan`` wants more of than there is at all, memory included, or None."""
    if view.memory is not None and view.memory.lasting:
        return reason(Code.OVER_CAPACITY, detail=str(view.memory))
    for name, wanted in sorted(view.held(plan).items()):
        capacity = view.capacities.get(name, 1)
        if wanted > capacity:
            return reason(Code.OVER_CAPACITY, detail=f"{wanted} of {name}, and there are {capacity}")
    return None


def lacking_resource(view: View, plan: PlanId) -> Reason | None:
    """Which resource plans at work have used up, in any run here, or None. Capacity is 1 unless set."""
    wanted = view.held(plan)
    in_use = [view.held(other) for other in view.working] if wanted else []
    for name in sorted(wanted):
        used = sum(amounts.get(name, 0) for amounts in in_use)
        used += sum(f.resources.get(name, 0) for f in view.foreign if f.working)
        if used + wanted[name] > view.capacities.get(name, 1):
            return reason(Code.RESOURCE, detail=name)
    return None


def lacking_place(view: View) -> Reason | None:
    """Whether all places of this run or all worktrees of the pool are taken, or disk or memory too full."""
    if len(view.working) >= view.options.jobs:
        return reason(Code.CAPACITY)
    if view.places is not None and view.places.free < 1:
        return reason(Code.POOL)
    if view.places is not None and view.places.short:
        return reason(Code.DISK_FLOOR, detail=view.places.short)
    if view.memory is not None:
        return reason(Code.MEMORY_FLOOR, detail=str(view.memory))
    return None


def lands_behind(view: View, plan: PlanId) -> Reason | None:
    """Which plan a finished one must land behind, or None when it may be queued now.

    Stacked work lands only after what it is stacked on has landed. An overlap orders landings only as
    long as the other plan may still land.
    """
    for dependency in view.plan(plan).dependencies:
        other, state = dependency.plan, view.state(dependency.plan)
        if not dependency.is_stacked or state is None or state is _A.LANDED:
            continue
        if state in _GONE:
            return reason(Code.DEPENDENCY_FAILED, other, f"has {_past(state)}")
        stuck = view.stuck(other)
        return reason(Code.DEPENDENCY_REJECTED, other, stuck) if stuck else reason(Code.ORDER, other)
    for edge in view.graph.predecessors(plan):
        if edge.why is EdgeReason.OVERLAP and _may_land(view, edge.before):
            return reason(Code.ORDER, edge.before)
    return None


def leaked(view: View, plan: PlanId) -> Reason | None:
    """Which file in the main checkout keeps the finished work of ``plan`` from being queued, or None."""
    return reason(Code.LEAKED, detail=view.leaked[plan]) if plan in view.leaked else None
