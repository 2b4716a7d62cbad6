"""Stop plans or a whole run, from any process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from orchestrator.errors import NothingToDoError, StaleRecordError
from orchestrator.events import EventName
from orchestrator.running.supervision import find, stop
from orchestrator.scheduling.launching import record_dir
from orchestrator.sessions.identity import is_alive
from orchestrator.states import AttemptState, RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Attempt, RunRecord
    from orchestrator.workbench import Workbench

_NOT_BEGUN = frozenset({AttemptState.PENDING, AttemptState.WAITING})


def stop_plans(bench: Workbench, plans: Sequence[str]) -> tuple[str, ...]:
    """Stop the named plans; return those that there was something to stop of.

    A command at work is asked to end, tree and all, and its run notes the attempt as cancelled; a plan that
    has not begun is cancelled here.
    """
    stopped = []
    for plan in plans:
        attempts = bench.store.attempts(plan=plan, states=_NOT_BEGUN | {AttemptState.RUNNING})
        if [a for a in attempts if _stop_attempt(bench, a)]:
            stopped.append(plan)
    if not stopped:
        raise NothingToDoError(f"nothing of {', '.join(plans)} is at work or waiting")
    return tuple(stopped)


def _stop_attempt(bench: Workbench, attempt: Attempt) -> bool:
    if attempt.state is AttemptState.RUNNING:
        handle = find(record_dir(bench, attempt.supervisor or ""))
        return handle is not None and stop(handle)
    why, now = {"code": "stopped", "detail": "by a person"}, bench.clock.now()
    try:
        bench.store.move_attempt(attempt, AttemptState.CANCELLED, reason=why, finished_at=now)
    except StaleRecordError:  # it began this very moment; ask again
        again = bench.store.attempt(attempt.id)
        return again is not None and again.state is AttemptState.RUNNING and _stop_attempt(bench, again)
    bench.store.emit(EventName.PLAN_CANCELLED, at=now, run=attempt.run, plan=attempt.plan, reason=why)
    return True


def stop_run(bench: Workbench, run: RunRecord) -> bool:
    """Ask the process that conducts ``run`` to end it in order; without one, stop its commands here.

    Returns whether there was a process to ask.
    """
    session = bench.store.session(run.session)
    if session and is_alive(session.pid, session.process_started, session.boot, session.host):
        os.kill(session.pid, signal.SIGTERM)
        return True
    for attempt in bench.store.attempts(run=run.id, states={AttemptState.RUNNING}):
        _stop_attempt(bench, attempt)
    if run.state is RunState.ACTIVE:
        bench.store.move_run(run, RunState.INTERRUPTED, finished_at=bench.clock.now())
    return False


def require_run(bench: Workbench, name: str | None) -> RunRecord:
    """The run of that id (or its beginning), without a name the newest; raises NothingToDoError."""
    runs = bench.store.runs()
    found = [r for r in runs if name is None or r.id == name or r.id.startswith(name)]
    if not found:
        raise NothingToDoError(f"there is no run {name!r}" if name else "there is no run")
    return found[-1]
