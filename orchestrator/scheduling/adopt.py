"""What a resumed run does first with what a dead planctl left half-way.

- ``preparing``, and its command was launched before the store knew: adopt it, it is at work
- ``preparing`` otherwise: lost, uncounted; nothing of it has run
- ``running``: if a further stage was launched before the store knew, that one is at work now. Whether its
  supervisor lives, has ended or is gone is seen by the loop, as for any other
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.running.supervision import find
from orchestrator.running.waiting import end
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.launching import record_dir, stage_number
from orchestrator.states import AttemptState
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan


def adopt_attempts(bench: Workbench, run: str, plans: Mapping[PlanId, Plan]) -> None:
    """Bring the stored attempts of ``run`` in line with the commands that were launched for them."""
    for attempt in bench.store.attempts(run=run, states={AttemptState.PREPARING, AttemptState.RUNNING}):
        latest = _latest_stage(bench, attempt, plans[PlanId(attempt.plan)])
        if attempt.state is AttemptState.PREPARING:
            _adopt_preparing(bench, attempt, latest)
        elif latest is not None and latest != attempt.supervisor:
            bench.store.update_attempt(attempt, supervisor=latest)


def _latest_stage(bench: Workbench, attempt: Attempt, plan: Plan) -> str | None:
    """The name of the last stage of ``attempt`` that was launched, None when none was."""
    first = stage_number(attempt) if attempt.supervisor else 0
    found = attempt.supervisor
    for number in range(first, len(stages(plan))):
        name = f"{attempt.id}-{number}"
        if find(record_dir(bench, name)) is not None:
            found = name
    return found


def _adopt_preparing(bench: Workbench, attempt: Attempt, launched: str | None) -> None:
    store, now = bench.store, bench.clock.now()
    if launched is not None:
        store.move_attempt(attempt, AttemptState.RUNNING, supervisor=launched)
        return
    set_up = find(record_dir(bench, f"{attempt.id}-setup"))
    if set_up is not None:  # it would write into a worktree that is about to be cleaned
        end(set_up)
    why = {"code": "interrupted", "detail": "planctl ended while it was being prepared"}
    store.move_attempt(attempt, AttemptState.LOST, reason=why, finished_at=now, counted=False)
    store.emit(EventName.PLAN_LOST, at=now, run=attempt.run, plan=attempt.plan, reason=why)
