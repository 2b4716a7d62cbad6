"""A worktree for a plan by hand: as for a plan without ``run``, whatever commands the plan has.

1. the plan is read and linted; what it depends on must have landed, or be pinned where it stacks
2. its file is frozen, a run of it alone is stored that is finished at once: nothing conducts it
3. slot, branch, pointer, set-up, by the same steps as in any run; the attempt is ``prepared``
4. ``queue add PLAN`` hands in what is committed on the branch
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, HeldUpError, NotPreparedError, UsageError
from orchestrator.events import EventName
from orchestrator.scheduling.basing import FINISHED, PHASES
from orchestrator.scheduling.branching import require_usable
from orchestrator.scheduling.declared import declared
from orchestrator.scheduling.freeze import freeze
from orchestrator.scheduling.hostshare import HostShare
from orchestrator.scheduling.launching import StageLauncher
from orchestrator.scheduling.starting import Starter
from orchestrator.scheduling.view import View
from orchestrator.services.begin import Request, first_attempt
from orchestrator.services.conductors import conductor_of
from orchestrator.services.readiness import read_outlook
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.slots.room import make_room
from orchestrator.states import ACTIVE_ATTEMPTS, AttemptState, RunState
from orchestrator.store.records import RunRecord
from orchestrator.submitting.landed import landed_plans
from plans.ids import PlanId
from plans.model import Until

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.services.begin import Outlook
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Dependency, Plan


_LOCKED: Final = "metadata-locked"


def add_worktree(bench: Workbench, name: str, here: Path, *, adopt: bool = False) -> Attempt:
    """Prepare a worktree for the plan ``name`` (an id or a path) and return its attempt, ``prepared``.

    Raises what reading plans does, BusyError when the plan is at work, BranchExistsError, UsageError when
    something it depends on is missing, DiskFloorError; then nothing was written. HeldUpError for what
    others hold, NotPreparedError for what else failed later.
    """
    outlook = read_outlook(bench, Request(names=(name,), adopt=adopt, land=False), here)
    (plan,) = outlook.plans
    _require_idle(bench, plan)
    landed = _require_dependencies(bench, plan)
    require_usable(bench, plan.id, plan.branch, adopt=adopt)
    make_room(bench, SlotKeeper(bench))
    attempt = _store(bench, outlook, adopt=adopt)
    _start(bench, outlook, attempt, landed)
    prepared = bench.store.attempt(attempt.id)
    assert prepared is not None
    if prepared.state is not AttemptState.PREPARED:
        raise _not_prepared(prepared)
    return prepared


def _not_prepared(attempt: Attempt) -> NotPreparedError:
    """Others are in the way where it waits, or where they do not give the list of worktrees back."""
    is_held_up = attempt.state is AttemptState.WAITING or attempt.reason.get("code") == _LOCKED
    why = str(attempt.reason.get("detail") or attempt.reason.get("code") or attempt.state)
    return (HeldUpError if is_held_up else NotPreparedError)(attempt.plan, why)


def _require_idle(bench: Workbench, plan: Plan) -> None:
    begun = ACTIVE_ATTEMPTS | {AttemptState.PENDING, AttemptState.WAITING}
    for attempt in bench.store.attempts(plan=plan.id, states=begun):
        run = bench.store.run(attempt.run)
        conducted = run is not None and conductor_of(bench.store, run) is not None
        if conducted or attempt.state in ACTIVE_ATTEMPTS:
            raise BusyError(plan.id, f"run {attempt.run}, where it is {attempt.state}")


def _require_dependencies(bench: Workbench, plan: Plan) -> dict[PlanId, str]:
    """What lands by hand must not land before what it depends on. Returns what of that has landed."""
    landed = landed_plans(bench, [d.plan for d in plan.dependencies], bench.target_tip())
    for dependency in plan.dependencies:
        if dependency.until is Until.STARTED or dependency.plan in landed:
            continue
        if not dependency.is_stacked or not _is_pinned(bench, dependency):
            raise UsageError(f"{plan.id} depends on {dependency.plan}, which has not landed")
    return {PlanId(other): commit for other, commit in landed.items()}


def _is_pinned(bench: Workbench, dependency: Dependency) -> bool:
    name = dependency.phase if dependency.until is Until.PHASE else FINISHED
    return bench.references.read(f"{PHASES}/{dependency.plan}/{name}") is not None


def _store(bench: Workbench, outlook: Outlook, *, adopt: bool) -> Attempt:
    """The run and its attempt, already ``preparing``, in one transaction."""
    run, now, store = bench.stamp(), bench.clock.now(), bench.store
    (plan,) = outlook.plans
    options = {
        "jobs": 1,
        "mode": str(bench.settings.project.overlap),
        "keep_going": False,
        "land": True,
        "by_hand": True,
        "adopt": adopt,
        **declared((plan,), bench.settings),
        **outlook.ground.stored(),
    }
    record = RunRecord(
        id=run,
        session=bench.session,
        started_at=now,
        frozen=freeze(bench, run, (plan,), options),
        target=bench.target,
        plans=(plan.id,),
        options=options,
        state=RunState.FINISHED,
        finished_at=now,
    )
    with store.transaction():
        store.add_run(record)
        attempt = first_attempt(bench, plan, run)
        store.add_attempt(attempt)
        attempt = store.move_attempt(attempt, AttemptState.PREPARING, started_at=now)
        store.emit(EventName.PLAN_PREPARING, at=now, run=run, plan=plan.id, attempt=attempt.id)
    return attempt


def _start(bench: Workbench, outlook: Outlook, attempt: Attempt, landed: dict[PlanId, str]) -> None:
    """The steps of any run, for the plan without its commands; a failure is stored with its reason."""
    (plan,) = outlook.plans
    by_hand = replace(plan, run=None, phases=tuple(replace(phase, run=None) for phase in plan.phases))
    view = View(
        run=attempt.run,
        graph=outlook.graph,
        options=outlook.options,
        attempts={plan.id: attempt},
        landed=landed,
    )
    never = threading.Event()
    launcher = StageLauncher(bench, HostShare({}), never)
    starter = Starter(bench, SlotKeeper(bench), launcher, never)
    starter.start(attempt, by_hand, view)
