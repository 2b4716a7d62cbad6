"""Sessions whose process is gone, and the leases that they held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.clock import seconds_between
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.watchdog.election import at_work, paused
from orchestrator.sessions.cleanup import reap
from orchestrator.sessions.staleness import is_late, orphaned
from orchestrator.states import LIVING_SESSIONS, SessionState

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.records import Session
    from orchestrator.workbench import Workbench


def examine_sessions(ward: Ward) -> Examined:
    """Sessions that are not ended: proven dead is an error, late is a warning (it may be paused).

    Agents come and go, many without a word: those that hold nothing are left to the next cleaner.
    """
    open_ = ward.store.sessions(LIVING_SESSIONS)
    holding = {lease.session for lease in ward.store.leases()}
    told = [s for s in open_ if s.kind != "agent" or s.id in holding]
    issues = [issue for session in told if (issue := _issue(ward, session))]
    return Examined("sessions", f"{len(open_)} sessions", tuple(issues))


def _issue(ward: Ward, session: Session) -> Issue | None:
    who = f"{session.kind}, pid {session.pid} on {session.host}"
    if ward.living(session.id) is None:
        return Issue("session-dead", Gravity.ERROR, session.id, f"{who}: its process is gone", _reap)
    if is_late(session, now=ward.clock.monotonic(), boot=ward.clock.boot()):
        return Issue("session-late", Gravity.WARNING, session.id, f"{who}: its heartbeat is overdue")
    return None


def examine_leases(ward: Ward) -> Examined:
    """Leases that nobody can give back: of dead sessions, or run out and of none."""
    leases = ward.store.leases()
    sessions = {session.id: session for session in ward.store.sessions()}
    now, boot = ward.clock.monotonic(), ward.clock.boot()
    unheld = {(lease.name, lease.token) for lease in orphaned(leases, sessions, now=now, boot=boot)}
    dead = {s.id for s in sessions.values() if s.state is not SessionState.ENDED and not ward.living(s.id)}
    stale = [lease for lease in leases if (lease.name, lease.token) in unheld or lease.session in dead]
    issues = [_stale(lease, sessions.get(lease.session), ward.clock.now()) for lease in stale]
    return Examined("leases", f"{len(leases)} leases", tuple(issues))


def examine_watchdog(ward: Ward) -> Examined:
    """Which one is at work, if any: none is needed, it only is quicker than whoever comes next."""
    found, why = at_work(ward.store, ward.clock), paused(ward.store)
    detail = f"{found['kind']} {found['session']} (pid {found['pid']})" if found else "none is at work"
    issues = []
    if why is not None:
        more = "; `planctl watchdog --resume` lets them go on"
        issues.append(Issue("watchdog-paused", Gravity.WARNING, "watchdog", f"{why}{more}"))
    if found is not None and not found["alive"]:
        late = f"{detail} has not renewed its lease; the next one takes over"
        issues.append(Issue("watchdog-silent", Gravity.WARNING, found["session"], late))
    return Examined("watchdog", detail, tuple(issues))


def _stale(lease: Lease, holder: Session | None, now: str) -> Issue:
    detail = f"held since {lease.acquired_at} by session {lease.session}, whose process is gone"
    facts = (
        ("lock", lease.name),
        ("scope", str(lease.scope)),
        ("branch", lease.branch),
        ("age", _ago(lease.acquired_at, now)),
        ("last heartbeat", _ago(holder.heartbeat_at, now) if holder else ""),
        ("holder", f"{holder.kind}, pid {holder.pid}" if holder else lease.session),
    )
    return Issue("lease-stale", Gravity.ERROR, lease.name, detail, _reap, facts)


def _ago(stamp: str, now: str) -> str:
    """How long ago in words, by the wall clock: for people."""
    seconds = max(0, int(seconds_between(stamp, now)))
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _reap(bench: Workbench, _session: SessionHandle) -> None:
    reap(bench.store, bench.clock, bench.repository.state_dir / "cleanup.lock")
