"""Stop plans or a whole run, from any process.

A command at work is asked to end through its supervisor, whole tree, and the run that conducts it notes the
attempt as cancelled. What has not begun, or waits until its command is run again, is cancelled here. Work
that was begun stays in its worktree.

A plan whose conflict the resolver has goes back to a person; whoever waits for the resolver ends it and puts
the worktree back, and this process does so where nobody lives that waits.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, NothingToDoError, StaleRecordError
from orchestrator.events import EventName
from orchestrator.mending.returning import sweep
from orchestrator.merging.settle import settle
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, poll, stop, stop_tree
from orchestrator.scheduling.launching import record_dir
from orchestrator.services.conductors import conductor_of
from orchestrator.sessions.identity import signal_process
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.slots.lastsave import save_last
from orchestrator.states import WORKING_ATTEMPTS, AttemptState, EntryState, RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.running.spec import Supervised
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Attempt, RunRecord
    from orchestrator.workbench import Workbench

_IDLE: Final = frozenset({AttemptState.PENDING, AttemptState.WAITING, AttemptState.DEFERRED})
_AT_WORK: Final = _IDLE | WORKING_ATTEMPTS
_LOOK: Final = 0.1
_PATIENCE: Final = 60.0
"""Seconds until a plan that is just being prepared, or whose command is just changing, must have moved on."""


def stop_plans(bench: Workbench, session: SessionHandle, plans: Sequence[str]) -> tuple[str, ...]:
    """Stop the named plans; return those that there was something to stop of.

    Raises BusyError when a plan is being prepared for longer than a minute.
    """
    stopped = []
    for plan in dict.fromkeys(plans):
        attempts = bench.store.attempts(plan=plan, states=_AT_WORK)
        done = [a for a in attempts if _stop_attempt(bench, a)]
        if _stop_resolver(bench, plan) or done:
            stopped.append(plan)
    sweep(bench, session, SlotKeeper(bench), first=False)
    return tuple(stopped)


def _stop_resolver(bench: Workbench, plan: str) -> bool:
    """Whether a conflict of the plan was the resolver's, and is a person's now."""
    why = {"code": "resolver-stopped", "detail": "the resolver was stopped by a person"}
    with bench.store.transaction():
        found = [e for e in bench.store.entries(states={EntryState.RESOLVING}) if e.plan == plan]
        for entry in found:
            settle(bench, entry, EntryState.CONFLICTED, reason={**entry.reason, **why})
    return bool(found)


def _stop_attempt(bench: Workbench, attempt: Attempt) -> bool:
    """Whether there was something to stop; asks again for as long as the attempt is changing."""
    deadline = bench.clock.monotonic() + _PATIENCE
    current: Attempt | None = attempt
    while current is not None and current.state in _AT_WORK:
        done = _cancel(bench, current) if current.state in _IDLE else _stop_command(bench, current)
        if done:
            return True
        if current.state is AttemptState.RUNNING and not _is_conducted(bench, current):
            return False  # it ended by itself, and nobody has noted that yet
        if bench.clock.monotonic() > deadline:
            raise BusyError(current.plan, f"its run {current.run}, which is {current.state} it")
        bench.clock.wait(threading.Event(), _LOOK)
        current = bench.store.attempt(attempt.id)
    return False


def _cancel(bench: Workbench, attempt: Attempt) -> bool:
    why: dict[str, str] = {"code": "stopped", "detail": "by a person"}
    if attempt.state is AttemptState.DEFERRED:
        why |= save_last(bench, attempt.id)
    now = bench.clock.now()
    try:
        with bench.store.transaction():
            bench.store.move_attempt(attempt, AttemptState.CANCELLED, reason=why, finished_at=now)
            bench.store.emit(EventName.PLAN_CANCELLED, at=now, run=attempt.run, plan=attempt.plan, reason=why)
    except StaleRecordError:  # it began this very moment
        return False
    return True


def _stop_command(bench: Workbench, attempt: Attempt, *, for_good: bool = True) -> bool:
    """Ask the supervisor of the stage at work, or of the set-up; end a tree that has none any more.

    A plan whose command was not stopped ``for_good`` runs again when its run is resumed.
    """
    name = attempt.supervisor or f"{attempt.id}-setup"
    handle = find(record_dir(bench, name))
    if handle is None:
        return False
    return stop(handle, for_good=for_good) or _end_orphans(handle)


def _end_orphans(handle: Supervised) -> bool:
    state = poll(handle)
    if isinstance(state, Running) or not state.command_alive:
        return False
    stop_tree(handle)
    return True


def _is_conducted(bench: Workbench, attempt: Attempt) -> bool:
    run = bench.store.run(attempt.run)
    return run is not None and conductor_of(bench.store, run) is not None


def stop_run(bench: Workbench, run: RunRecord) -> tuple[bool, tuple[str, ...]]:
    """End ``run``; return whether its process was asked to, and the plans whose commands were stopped here.

    The process that conducts it is sent SIGTERM once its identity is proven, and ends it in order. Without
    one, the commands are stopped here, and the run is ``interrupted``: ``resume`` goes on. Raises BusyError
    when the process cannot be seen from here.
    """
    session = conductor_of(bench.store, run)
    if session is not None:
        identity = (session.pid, session.process_started, session.boot, session.host)
        try:
            if signal_process(*identity, signal.SIGTERM):
                return True, ()
        except PermissionError as error:
            raise BusyError(f"run {run.id}", f"session {session.id}: {error}") from error
    return False, _stop_unconducted(bench, run)


def _stop_unconducted(bench: Workbench, run: RunRecord) -> tuple[str, ...]:
    running = bench.store.attempts(run=run.id, states={AttemptState.RUNNING})
    stopped = tuple(a.plan for a in running if _stop_command(bench, a, for_good=False))
    now = bench.clock.now()
    if run.state is RunState.ACTIVE:
        with bench.store.transaction():
            bench.store.move_run(run, RunState.INTERRUPTED, finished_at=now)
            bench.store.emit(EventName.RUN_INTERRUPTED, at=now, run=run.id)
    return stopped


def require_run(bench: Workbench, name: str | None) -> RunRecord:
    """The run of that id (or its beginning), without a name the only one that is active.

    Raises NothingToDoError when there is none, BusyError when several are active and none is named.
    """
    if name is None:
        active = bench.store.runs({RunState.ACTIVE})
        if len(active) > 1:
            raise BusyError("the repository", f"the runs {', '.join(run.id for run in active)}")
        found = list(active)
    else:
        found = [run for run in bench.store.runs() if run.id.startswith(name)]
    if not found:
        raise NothingToDoError(f"there is no run {name!r}" if name else "no run is active")
    return found[-1]
