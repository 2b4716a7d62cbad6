"""Agents and people register, say that they are there, read what others tell them, and leave.

Nothing of planctl stays behind: a session is a row, tied to the process that works here. It is over when it
is ended, when that process is proven dead, or when nothing was heard of it for too long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.errors import (
    NothingToDoError,
    SessionEndedError,
    SessionTakenError,
    StaleRecordError,
    UsageError,
)
from orchestrator.leases.lease import who
from orchestrator.services.speaking import (
    AGENT,
    AGENT_EXPIRY,
    beaten,
    checked_id,
    new_session,
    register,
    registered_above,
    speaker,
    taken_over,
)
from orchestrator.sessions.ancestry import ancestors, line_of, worker
from orchestrator.sessions.cleanup import PROCESS_DEAD, bury, release_all
from orchestrator.sessions.identity import is_alive, started
from orchestrator.states import LIVING_SESSIONS, SessionState
from orchestrator.store.records import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.clock import Clock
    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session

EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who wants to register; without ``key`` an id is drawn."""

    key: str | None = None
    agent: str = ""
    labels: tuple[str, ...] = ()
    note: str = ""
    children: tuple[int, ...] = ()
    expiry: float = AGENT_EXPIRY


def begin(store: Store, clock: Clock, newcomer: Newcomer, environ: Mapping[str, str]) -> Session:
    """Register. An agent that does so again from the same process gets the same session.

    Raises SessionTakenError when ``key`` is that of a session that lives.
    """
    above = tuple(ancestors())
    bury(store, clock, [session.id for session in store.sessions(LIVING_SESSIONS)])
    said: dict[str, Any] = {
        "agent": newcomer.agent,
        "labels": newcomer.labels,
        "note": newcomer.note,
        "children": _children(newcomer.children, worker(above).pid),
    }
    if newcomer.key is None and (environ.get("PLANCTL_ATTEMPT") or environ.get("PLANCTL_SESSION")):
        found = speaker(store, clock, None, environ, expiry=newcomer.expiry)
        return _told(store, found, said) if found.kind == AGENT else found
    if newcomer.key is None:
        with store.transaction():
            known = registered_above(store, clock, above)
            if newcomer.agent and known is not None and known.agent == newcomer.agent:
                return _told(store, beaten(store, clock, known, expiry=newcomer.expiry), said)
            return register(store, replace(new_session(clock, above, expiry=newcomer.expiry), **said))
    key = checked_id(newcomer.key)
    fresh = replace(new_session(clock, above, key=key, expiry=newcomer.expiry), **said)
    try:
        store.add_session(fresh)
    except StaleRecordError:
        return _under_an_old_name(store, clock, fresh, said)
    return fresh


def _under_an_old_name(store: Store, clock: Clock, fresh: Session, said: dict[str, Any]) -> Session:
    found = store.session(fresh.id)
    lives = found is not None and found.state is not SessionState.ENDED and alive(found, clock)
    if found is None or lives or found.kind != AGENT:
        raise SessionTakenError(fresh.id, who(store, fresh.id))
    try:
        with store.transaction():
            release_all(store, clock, found.id, PROCESS_DEAD)
            return _told(store, taken_over(store, found, fresh), said)
    except StaleRecordError as error:  # another process was faster
        raise SessionTakenError(fresh.id, who(store, fresh.id)) from error


def _told(store: Store, session: Session, said: dict[str, Any]) -> Session:
    """Write down what a session says of itself; it is active from then on. Children are told of once."""
    with store.transaction():
        now = store.session(session.id) or session
        children = {child["pid"]: child for child in (*now.children, *said["children"])}
        said = {**said, "children": tuple(children.values())}
        if now.state is SessionState.ACTIVE:
            return store.update_session(now, **said)
        return store.move_session(now, SessionState.ACTIVE, **said)


def beat(
    store: Store, clock: Clock, session: Session, *, task: str | None = None, children: Sequence[int] = ()
) -> tuple[Session, Sequence[Message]]:
    """What a heartbeat brings beyond being one: its task, its children, and what others have told it."""
    at = clock.now()
    with store.transaction(durable=False):
        if task is not None:
            store.beat(session.id, expires=session.expires, at=at, task=task)
            session = store.session(session.id) or session
        if children:
            session = _told(store, session, {"children": _children(children, session.pid)})
    return session, read_messages(store, clock, session.id)


def read_messages(store: Store, clock: Clock, key: str) -> Sequence[Message]:
    """What the session has not read yet; from now on it has."""
    found = store.unread(key)
    if found:
        store.mark_read(key, sequence=found[-1].sequence, at=clock.now())
    return found


def require_living(store: Store, key: str) -> None:
    """Raise SessionEndedError when that session has ended: whoever beats for it has to know."""
    found = store.session(key)
    if found is not None and found.state is SessionState.ENDED:
        raise SessionEndedError(key, found.ended_at)


def leave(store: Store, clock: Clock, key: str) -> list[Lease]:
    """End a session, and give back what it holds. NothingToDoError for one that is unknown or has ended."""
    with store.transaction():
        found = store.session(key)
        if found is None or found.state is SessionState.ENDED:
            raise NothingToDoError(f"there is no session {key} that has not ended")
        if found.kind != AGENT:
            what = f"{key} is a {found.kind} of planctl's own"
            raise UsageError(f"{what}, which ends by itself or by `planctl stop`")
        released = release_all(store, clock, key)
        store.move_session(found, SessionState.ENDED, ended_at=clock.now(), task="", children=())
    return released


def send(store: Store, clock: Clock, sender: str, to: str, text: str) -> list[str]:
    """Leave a message for one session, or for all that live; the ids of those that will get it."""
    living = [s.id for s in store.sessions(LIVING_SESSIONS) if alive(s, clock)]
    if to == EVERYBODY:
        receivers = [key for key in living if key != sender]
    elif to in living:
        receivers = [to]
    else:
        raise NothingToDoError(f"there is no living session {to}")
    with store.transaction():
        for receiver in receivers:
            store.add_message(Message(clock.now(), sender, receiver, text))
    return receivers


def alive(session: Session, clock: Clock) -> bool:
    """Whether its process may be alive."""
    return is_alive(session.pid, session.process_started, session.boot, session.host, this_boot=clock.boot())


def _children(pids: Sequence[int], of: int) -> tuple[dict[str, Any], ...]:
    """With the moment when each started, which proves later that a pid is still the same process.

    Raises UsageError for what ``of`` runs below: a watchdog would end it with all that is below it.
    """
    above = line_of(of) if pids else frozenset()
    if wrong := above.intersection(pids):
        raise UsageError(f"--child {min(wrong)} is the process that works here, or one above it")
    return tuple({"pid": pid, "started": began} for pid in pids if (began := started(pid)) is not None)


def rows(store: Store, clock: Clock, *, every: bool = False) -> list[dict[str, Any]]:
    """Sessions under the names of the contract: those that have not ended, with ``every`` all."""
    held: dict[str, list[str]] = {}
    for lease in store.leases():
        held.setdefault(lease.session, []).append(lease.name)
    found = store.sessions(None if every else LIVING_SESSIONS)
    return [{**session_data(s, clock), "leases": held.get(s.id, [])} for s in found]


def session_data(session: Session, clock: Clock) -> dict[str, Any]:
    """One session under the names of the contract; the first ones as ``status`` has them."""
    in_time = session.boot == clock.boot() and session.expires > clock.monotonic()
    ended = session.state is SessionState.ENDED
    return {
        "id": session.id,
        "kind": session.kind,
        "pid": session.pid,
        "host": session.host,
        "started_at": session.started_at,
        "heartbeat_at": session.heartbeat_at,
        "task": session.task,
        "note": session.note,
        "state": str(session.state),
        "alive": not ended and in_time and alive(session, clock),
        "agent": session.agent,
        "labels": list(session.labels),
        "parent_pid": session.parent_pid,
        "process_started": session.process_started,
        "terminal": session.terminal,
        "container": session.container,
        "worktree": session.worktree or None,
        "boot": session.boot,
        "children": [dict(child) for child in session.children],
        "ended_at": session.ended_at,
    }
