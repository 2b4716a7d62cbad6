"""How a run is brought to an orderly stop before its end: nothing of it lives, nothing of it is lost.

1. the store is brought in line with what was launched, should a thread have failed in between
2. every supervisor is asked to end its tree; that the command is to run again is on disk before
3. supervisors that do not answer are killed, and their trees ended from here
4. a command that was ended by this is noted as interrupted, its uncommitted work captured: ``resume`` runs it
   again. One that had ended by itself is left ``running``: ``resume`` finishes it, and runs nothing twice.
   One that the store does not know to run is left ``preparing``: ``resume`` sees it in its records.

A failure of one plan does not keep the others from being ended; the failures are returned.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from orchestrator.running import supervision
from orchestrator.running.spec import Ended, Outcome, Running
from orchestrator.running.waiting import wait
from orchestrator.scheduling.adopt import adopt_attempt, latest_stage
from orchestrator.scheduling.launching import record_dir
from orchestrator.states import WORKING_ATTEMPTS, AttemptState
from plans.errors import PlanctlError
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.running.spec import Supervised
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan

ANSWER: Final = 15.0
"""Seconds beyond the grace in which a supervisor must have ended its tree and said so."""


def end_commands(
    bench: Workbench, run: str, plans: Mapping[PlanId, Plan], interrupt: Callable[[Attempt], None]
) -> list[Exception]:
    """Carry out steps 1 to 4 for ``run``; ``interrupt`` notes one attempt. Returns what went wrong."""
    failures: list[Exception] = []
    for attempt in bench.store.attempts(run=run, states=WORKING_ATTEMPTS):
        try:
            adopt_attempt(bench, attempt, plans[PlanId(attempt.plan)])
        except (PlanctlError, OSError) as error:
            failures.append(error)  # a store that takes no more: what was launched is ended all the same
    attempts = bench.store.attempts(run=run, states=WORKING_ATTEMPTS)
    running = [(attempt, _handle(bench, attempt, plans[PlanId(attempt.plan)])) for attempt in attempts]
    handles = [handle for _, handle in running if handle is not None]
    for handle in handles:
        try:
            supervision.stop(handle, for_good=False)
        except OSError as error:  # the wish could not be written: the signal alone will do
            failures.append(error)
            supervision.kill_supervisor(handle)
    _wait_for(bench, handles)
    for attempt, launched in running:
        try:
            if _end(launched) and attempt.state is AttemptState.RUNNING:
                interrupt(attempt)
        except (PlanctlError, OSError) as error:
            failures.append(error)
    return failures


def _handle(bench: Workbench, attempt: Attempt, plan: Plan) -> Supervised | None:
    latest = latest_stage(bench, attempt, plan)
    return supervision.find(record_dir(bench, latest)) if latest else None


def _wait_for(bench: Workbench, handles: list[Supervised]) -> None:
    """Wait until each has ended; those that do not answer in time are killed."""
    grace = max((handle.grace for handle in handles), default=0.0)
    for handle in _still_running(bench, handles, grace + ANSWER):
        supervision.kill_supervisor(handle)
    _still_running(bench, handles, ANSWER)


def _still_running(bench: Workbench, handles: list[Supervised], seconds: float) -> list[Supervised]:
    """Wait until all have ended, at most so long; return those that have not."""
    deadline, never = bench.clock.monotonic() + seconds, threading.Event()
    while alive := [h for h in handles if isinstance(supervision.poll(h), Running)]:
        left = deadline - bench.clock.monotonic()
        if left <= 0:
            break
        wait(alive, never, left)
    return alive


def _end(handle: Supervised | None) -> bool:
    """End what lives of a command whose supervisor is gone; whether the command did not end by itself."""
    if handle is None:
        return True
    state = supervision.poll(handle)
    if isinstance(state, Ended) and state.outcome is Outcome.LOST:
        supervision.stop_tree(handle)
    return not (isinstance(state, Ended) and state.outcome in (Outcome.EXITED, Outcome.TIMED_OUT))
