"""Runs that nobody conducts, and attempts that are neither at work nor ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StaleRecordError
from orchestrator.events import EventName
from orchestrator.running.places import record_folder
from orchestrator.running.supervision import find, stop_tree
from orchestrator.scheduling.freeze import RUNS
from orchestrator.services.conductors import conductor_of
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.orphans import is_lost
from orchestrator.slots.lastsave import save_last
from orchestrator.states import AttemptState, RunState
from worktrees.archive import park
from worktrees.references import Delete

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Attempt, RunRecord
    from orchestrator.workbench import Workbench


def examine_runs(ward: Ward) -> Examined:
    """An active run without a living process is really an interrupted one, which waits for ``resume``."""
    open_ = ward.store.runs({RunState.ACTIVE, RunState.INTERRUPTED})
    issues = [issue for run in open_ if (issue := _run_issue(ward, run))]
    issues += _frozen_for_nobody(ward)
    return Examined("runs", f"{len(open_)} runs are not finished", tuple(issues))


def _run_issue(ward: Ward, run: RunRecord) -> Issue | None:
    how_on = f"`planctl resume {run.id}` goes on"
    if run.state is RunState.INTERRUPTED:
        return Issue("run-interrupted", Gravity.HINT, run.id, how_on)
    if ward.is_conducted(run):
        return None
    detail = f"it is active and no process conducts it; {how_on}"
    return Issue("run-abandoned", Gravity.ERROR, run.id, detail, partial(_interrupt, run=run.id))


def _interrupt(bench: Workbench, _session: SessionHandle, run: str) -> None:
    store, now = bench.store, bench.clock.now()
    with store.transaction():
        record = store.run(run)
        if record is None or record.state is not RunState.ACTIVE or conductor_of(store, record):
            return
        store.move_run(record, RunState.INTERRUPTED, finished_at=now)
        store.emit(EventName.RUN_INTERRUPTED, at=now, run=run)


def _frozen_for_nobody(ward: Ward) -> Iterator[Issue]:
    """Plan files are frozen before their run is stored: of somebody who lives, it may be about to be."""
    if ward.is_alone:
        for name, commit in ward.references.list(f"{RUNS}/").items():
            if ward.store.run(name.rpartition("/")[2]) is None:
                cure = ward.when_alone(partial(_forget, name=name, commit=commit))
                yield Issue("frozen-without-run", Gravity.WARNING, name, "no run has these plan files", cure)


def _forget(bench: Workbench, _session: SessionHandle, name: str, commit: str) -> None:
    if bench.references.read(name) == commit and bench.store.run(name.rpartition("/")[2]) is None:
        park(bench.git, "runs", [commit])
        bench.references.transact([Delete(name, commit)], message="planctl: doctor", step="doctor.frozen")


def examine_attempts(ward: Ward) -> Examined:
    """Attempts at work whose supervisor is gone, and half prepared ones that no ``resume`` will find."""
    working = ward.store.attempts(states={AttemptState.PREPARING, AttemptState.RUNNING})
    issues = [issue for attempt in working if (issue := _attempt_issue(ward, attempt))]
    return Examined("attempts", f"{len(working)} attempts are at work", tuple(issues))


def _attempt_issue(ward: Ward, attempt: Attempt) -> Issue | None:
    run = ward.store.run(attempt.run)
    if ward.is_conducted(run):
        return None  # that process sees to it
    if attempt.state is AttemptState.PREPARING:
        if run is None or run.state is not RunState.FINISHED or ward.living(run.session):
            return None  # `resume` sees to it, or it is being prepared by hand right now
        detail = f"preparing a worktree for {attempt.plan} was cut short"
        cure = partial(_lose, attempt=attempt.id, code="interrupted")
        return Issue("attempt-half-prepared", Gravity.ERROR, attempt.id, detail, cure)
    if not is_lost(ward.repository.state_dir, attempt):
        return None
    detail = f"the supervisor of {attempt.plan} is gone; how its command ended cannot be known"
    cure = partial(_lose, attempt=attempt.id, code="lost")
    return Issue("attempt-without-supervisor", Gravity.ERROR, attempt.id, detail, cure)


def _lose(bench: Workbench, _session: SessionHandle, attempt: str, code: str) -> None:
    """As a resumed run would: end what lives of it, rescue its worktree, note it as lost, uncounted."""
    store, now = bench.store, bench.clock.now()
    record = store.attempt(attempt)
    if record is None or record.state not in (AttemptState.PREPARING, AttemptState.RUNNING):
        return
    handle = find(record_folder(bench.repository.state_dir, record.supervisor or f"{attempt}-setup"))
    if handle is not None:
        stop_tree(handle)
    why: dict[str, Any] = {"code": code, "detail": "nothing of it was at work any more when it was found"}
    why |= save_last(bench, attempt)
    try:
        with store.transaction():
            store.move_attempt(record, AttemptState.LOST, reason=why, finished_at=now, counted=False)
            store.emit(EventName.PLAN_LOST, at=now, run=record.run, plan=record.plan, reason=why)
    except StaleRecordError:
        return  # a resumed run was faster, and did the same
