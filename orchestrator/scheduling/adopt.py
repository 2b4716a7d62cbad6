"""What a resumed run does first with what a dead planctl left half-way.

- ``preparing``, and its command was launched before the store knew: adopt it, it is at work
- ``preparing`` otherwise: its set-up is ended if that is still at work, since nobody waits for it any more;
  then lost, uncounted: no command of the plan has run
- ``preparing`` after it was deferred, and its stage was not launched again: deferred, so it soon will be
- ``running``: if a further stage was launched before the store knew, that one is at work now. Whether its
  supervisor lives, has ended or is gone is seen by the loop, as for any other
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.running import waiting
from orchestrator.running.supervision import find
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.launching import record_dir, stage_name, stage_number
from orchestrator.states import WORKING_ATTEMPTS, AttemptState
from orchestrator.submitting.published import outputs_of
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan


def adopt_attempts(bench: Workbench, run: str, plans: Mapping[PlanId, Plan]) -> None:
    """Bring the stored attempts of ``run`` in line with the commands that were launched for them."""
    for attempt in bench.store.attempts(run=run, states=WORKING_ATTEMPTS):
        adopt_attempt(bench, attempt, plans[PlanId(attempt.plan)])


def adopt_attempt(bench: Workbench, attempt: Attempt, plan: Plan) -> None:
    """Bring one attempt that is at work in line."""
    latest = latest_stage(bench, attempt, plan)
    if latest is None:
        _lose_preparing(bench, attempt)
    elif latest != attempt.supervisor:
        _note_launched(bench, attempt, plan, latest)
    elif attempt.state is AttemptState.PREPARING:
        bench.store.move_attempt(attempt, AttemptState.DEFERRED)


def latest_stage(bench: Workbench, attempt: Attempt, plan: Plan) -> str | None:
    """The name of the last stage of ``attempt`` that was launched, None when none was; from its records."""
    first = stage_number(attempt) if attempt.supervisor else 0
    found = attempt.supervisor
    for number in range(first, len(stages(plan))):
        name = stage_name(attempt, number)
        if name != found and waiting.find_begun(record_dir(bench, name)) is not None:
            found = name
    return found


def _note_launched(bench: Workbench, attempt: Attempt, plan: Plan, launched: str) -> None:
    """Store what the launcher would have stored, had it lived."""
    store = bench.store
    with store.transaction():
        if attempt.state is AttemptState.PREPARING:
            attempt = store.move_attempt(attempt, AttemptState.RUNNING, supervisor=launched)
        else:
            attempt = store.update_attempt(attempt, supervisor=launched)
        store.emit(
            EventName.PLAN_STARTED,
            at=bench.clock.now(),
            run=attempt.run,
            plan=attempt.plan,
            attempt=attempt.id,
            worktree=attempt.worktree,
            log=str(outputs_of(bench, plan.id).log),
            phase=stages(plan)[stage_number(attempt)].phase,
        )


def _lose_preparing(bench: Workbench, attempt: Attempt) -> None:
    setup = find(record_dir(bench, f"{attempt.id}-setup"))
    if setup is not None:
        waiting.end(setup)
    store, now = bench.store, bench.clock.now()
    why = {"code": "interrupted", "detail": "planctl ended while it was being prepared"}
    with store.transaction():
        store.move_attempt(attempt, AttemptState.LOST, reason=why, finished_at=now, counted=False)
        store.emit(EventName.PLAN_LOST, at=now, run=attempt.run, plan=attempt.plan, reason=why)
