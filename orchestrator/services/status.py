"""What is going on, and why it waits: one read of the store, in the shapes of the command line's contract.

Loaded by ``planctl status``, which must start fast: no git here but through ``truth``, which asks it last.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.scheduling import drifttable
from orchestrator.scheduling.deferral import with_time_left
from orchestrator.scheduling.drifttable import NO_DRIFT
from orchestrator.scheduling.reasons import Code
from orchestrator.scheduling.resourcetable import ResourceTable
from orchestrator.services.conductors import conductor_of
from orchestrator.services.queuerows import queue_entries
from orchestrator.services.truth import Landings
from orchestrator.services.watchdog.election import at_work
from orchestrator.states import (
    ACTIVE_ATTEMPTS,
    LIVING_SESSIONS,
    AttemptState,
    RunState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.clock import Clock
    from orchestrator.scheduling.drifttable import Drifted
    from orchestrator.scheduling.resourcetable import ResourceRow
    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt, Entry, RunRecord, Session
    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Status:
    """One moment: open runs, the newest attempt of each plan, queue, sessions, leases, resources, leaks.

    ``watchdog`` is the one at work, or None; all else are lists of mappings, by the names of the contract.
    """

    runs: list[dict[str, Any]]
    plans: list[dict[str, Any]]
    queue: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    leases: list[dict[str, Any]]
    resources: list[dict[str, Any]]
    watchdog: dict[str, Any] | None
    leaks: list[dict[str, Any]]


def status_of(store: Store, clock: Clock, repository: Repository) -> Status:
    """Read the store once. ``landed`` is said only of what is on the target now; nothing is written."""
    with_entries = {e.id: e for e in store.entries()}
    runs = store.runs()
    targets = {run.id: run.target for run in runs}
    drifted: dict[str, Drifted] = {}
    leaks: list[dict[str, Any]] = []
    for run in runs:
        if run.state is not RunState.FINISHED:
            drifted |= drifttable.load(store, run.id)
            leaks += _leaks(store, run.id)
    landings = Landings(repository, store)

    def is_there(attempt: Attempt) -> bool:
        return landings.is_on(targets[attempt.run], attempt.landed_commit or "")

    return Status(
        runs=[_run(store, run) for run in store.runs({RunState.ACTIVE, RunState.INTERRUPTED})],
        plans=[
            _plan(_timed(_checked(a, is_there), clock), with_entries, drifted.get(a.id, NO_DRIFT))
            for a in store.latest_attempts()
        ],
        queue=queue_entries(tuple(with_entries.values())),
        sessions=[_session(s, clock) for s in store.sessions(LIVING_SESSIONS)],
        leases=[_lease(lease, clock) for lease in store.leases()],
        resources=[_resource(row) for row in ResourceTable(store).rows()],
        watchdog=at_work(store, clock),
        leaks=leaks,
    )


def _checked(attempt: Attempt, is_there: Callable[[Attempt], bool]) -> Attempt:
    """The attempt as it is in truth: a landing that somebody took off the target again is none."""
    if attempt.state is not AttemptState.LANDED or is_there(attempt):
        return attempt
    was = str(attempt.landed_commit)[:12]
    why = {"code": "landing-undone", "detail": f"landed as {was}, which is not on the target any more"}
    return replace(attempt, state=AttemptState.FINISHED, landed_commit=None, reason=why)


def _timed(attempt: Attempt, clock: Clock) -> Attempt:
    """The attempt with what is left of its wait, where it waits for a moment."""
    waits = attempt.reason.get("code") == Code.RATE_LIMIT
    return replace(attempt, reason=with_time_left(attempt, clock)) if waits else attempt


def _run(store: Store, run: RunRecord) -> dict[str, Any]:
    """``conducted``: whether a process is at it; a run that is active without one was killed."""
    return {
        "id": run.id,
        "state": str(run.state),
        "session": run.session,
        "started_at": run.started_at,
        "conducted": conductor_of(store, run) is not None,
        "plans": list(run.plans),
    }


def _plan(attempt: Attempt, entries: dict[str, Entry], seen: Drifted) -> dict[str, Any]:
    """``seen`` is what was last seen of its drift, which counts while it is at work."""
    row = seen if attempt.state in ACTIVE_ATTEMPTS else NO_DRIFT
    entry = entries.get(attempt.entry or "")
    reason = (
        entry.reason if entry and attempt.state is AttemptState.QUEUED and entry.reason else attempt.reason
    )
    return {
        "id": attempt.plan,
        "run": attempt.run,
        "attempt": attempt.id,
        "state": str(attempt.state),
        "reason": dict(reason),
        "branch": attempt.branch,
        "worktree": attempt.worktree,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "landed_commit": attempt.landed_commit,
        "drift": list(attempt.drift or row.paths),
        "drifted_into": [{"plan": plan, "path": path} for plan, path in row.touches.items()],
        "drift_unread": row.unread,
    }


def _leaks(store: Store, run: str) -> list[dict[str, Any]]:
    from orchestrator.scheduling.leaks import why  # noqa: PLC0415 - dear for a status without an open run
    from orchestrator.scheduling.leaktable import load, row_data  # noqa: PLC0415 - as above

    rows = load(store, run).rows
    return [{"run": run, **row_data(rows[path]), "why": why(rows[path])} for path in sorted(rows)]


def _session(session: Session, clock: Clock) -> dict[str, Any]:
    alive = session.boot == clock.boot() and session.expires > clock.monotonic()
    keep = ("id", "kind", "pid", "host", "started_at", "heartbeat_at", "task", "note")
    shown = {name: getattr(session, name) for name in keep}
    return {**shown, "state": str(session.state), "alive": alive}


def _resource(row: ResourceRow) -> dict[str, Any]:
    """``until`` in the words of the contract: ``phase-1-complete``, or None for the end of the plan."""
    return {**asdict(row), "until": f"phase-{row.until}-complete" if row.until else None}


def _lease(lease: Lease, clock: Clock) -> dict[str, Any]:
    expired = lease.boot != clock.boot() or lease.expires <= clock.monotonic()
    return {
        "name": lease.name,
        "session": lease.session,
        "token": lease.token,
        "purpose": lease.purpose,
        "acquired_at": lease.acquired_at,
        "expired": expired,
    }
