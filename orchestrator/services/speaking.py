"""Which session a command speaks for.

1. ``--session ID``
2. inside a plan's command the session of that attempt (its id): the run's own would be the same for all plans
3. ``PLANCTL_SESSION``
4. the nearest registered ancestor process
5. one registered on the spot, for the process that works here

An id that was never seen is registered on first use, and so is one that has ended: whoever comes back under
his own name is welcome, and holds nothing. What a command says in a session's name is a heartbeat of it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import new_id
from orchestrator.errors import SessionEndedError, UsageError
from orchestrator.sessions.ancestry import ancestors, worker
from orchestrator.sessions.cleanup import PROCESS_DEAD, release_all
from orchestrator.sessions.identity import container, here, is_alive, proven
from orchestrator.sessions.registry import terminal
from orchestrator.states import LIVING_SESSIONS, SessionState
from orchestrator.store.records import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.clock import Clock
    from orchestrator.sessions.ancestry import Ancestor
    from orchestrator.store.protocol import Store
    from worktrees.repository import Repository

AGENT: Final = "agent"
"""The kind of a session that planctl did not start."""
LOCK: Final = "lock"
"""The kind of the session of a ``lock run``."""
AGENT_EXPIRY: Final = 1800.0
"""Seconds that it lives without a word; its process, where it is proven dead, ends it at once."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}")
_ATTEMPT: Final = re.compile(r"^([0-9A-HJKMNP-TV-Z]{26})-[0-9]+(?:\.[0-9]+)?$")
"""The commands of an attempt are numbered, held ones twice; the attempt is one session."""
_SAME_MOMENT: Final = 0.02


def speaker(
    store: Store, clock: Clock, named: str | None, environ: Mapping[str, str], *, expiry: float = AGENT_EXPIRY
) -> Session:
    """The session that this command speaks for, active, and beaten just now. See the module's text."""
    above = tuple(ancestors())
    key = named_session(named, environ)
    if key is not None:
        fresh = new_session(clock, above, key=checked_id(key), expiry=expiry)
        return _alive_again(store, clock, fresh, keeps=key == attempt_of(environ))
    with store.transaction(durable=False):  # of two commands at once, one registers the process above
        found = registered_above(store, clock, above)
        if found is not None:
            return beaten(store, clock, found, expiry=expiry)
        return register(store, new_session(clock, above, expiry=expiry))


def named_session(named: str | None, environ: Mapping[str, str]) -> str | None:
    """The id that the command line or the environment says, if any."""
    return named or attempt_of(environ) or environ.get("PLANCTL_SESSION") or None


def attempt_of(environ: Mapping[str, str]) -> str:
    """The attempt that this command is part of; an empty text for none."""
    return _ATTEMPT.sub(r"\1", environ.get("PLANCTL_ATTEMPT", ""))


def meant(
    store: Store, clock: Clock, named: str | None, environ: Mapping[str, str], *, agent: str = ""
) -> str | None:
    """The id of the session that a command is about, registered or not; None where nothing says one.

    With ``agent`` only that agent's own, of the very process that works here.
    """
    key = named_session(named, environ)
    if key is not None:
        return checked_id(key)
    above = tuple(ancestors())
    found = registered_above(store, clock, (worker(above),) if agent else above, agent=agent)
    return None if found is None else found.id


def spoken_for(store: Store, clock: Clock, environ: Mapping[str, str]) -> frozenset[str]:
    """The sessions that wait for this command: the one that it speaks for, and each ``lock run`` above."""
    above = tuple(ancestors())
    found = registered_above(store, clock, above)
    named = named_session(None, environ) or (found.id if found else None)
    locks = {
        session.id
        for session in store.sessions(LIVING_SESSIONS)
        if session.kind == LOCK and any(_is_of(session, clock, one) for one in above)
    }
    return frozenset({*locks, named} if named else locks)


def checked_id(text: str) -> str:
    """The id of a session; UsageError for what is none."""
    if not _ID.fullmatch(text):
        raise UsageError(f"{text[:80]!r} is no id of a session: 1 to 64 of A-Z a-z 0-9 . _ : @ - are allowed")
    return text


def noted_place(store: Store, session: Session, repository: Repository) -> Session:
    """``session``; where it is a named agent's, with the linked worktree of its own that it speaks from.

    Not a slot of the pool, which is looked after with the plan that has it, nor the main checkout.
    """
    own = str(repository.top or "") if repository.git_dir != repository.common_dir else ""
    named = session.kind == AGENT and session.agent
    if not named or own in {"", session.worktree} or any(slot.path == own for slot in store.slots()):
        return session
    with store.transaction(durable=False):
        now = store.session(session.id)
        if now is None or now.state is SessionState.ENDED:
            return session
        return store.update_session(now, worktree=own)


def registered_above(
    store: Store, clock: Clock, above: Sequence[Ancestor], *, agent: str = ""
) -> Session | None:
    """The session of the nearest registered ancestor, the newest where it has several.

    A ``lock run`` is passed over: what its command does, it does for whoever began it. ``agent``: of that
    agent only.
    """
    found = store.sessions(LIVING_SESSIONS)
    open_ = [session for session in found if session.kind != LOCK and agent in {"", session.agent}]
    for one in above:
        for session in reversed(open_):
            if _is_of(session, clock, one):
                return session
    return None


def _is_of(session: Session, clock: Clock, process: Ancestor) -> bool:
    same = session.pid == process.pid and abs(session.process_started - process.started) < _SAME_MOMENT
    return same and session.boot == clock.boot() and session.host == here()


def new_session(
    clock: Clock, above: Sequence[Ancestor], *, key: str | None = None, expiry: float = AGENT_EXPIRY
) -> Session:
    """A session of the process that works here; not registered yet."""
    process = worker(above)
    parent = next((b.pid for a, b in pairwise(above) if a.pid == process.pid), 0)
    now = clock.now()
    return Session(
        id=key or new_id(),
        kind=AGENT,
        pid=process.pid,
        process_started=process.started,
        host=here(),
        boot=clock.boot(),
        started_at=now,
        heartbeat_at=now,
        expires=clock.monotonic() + expiry,
        parent_pid=parent,
        terminal=terminal(),
        container=container(),
    )


def register(store: Store, session: Session) -> Session:
    """Insert it, under an id that was never seen."""
    store.add_session(session)
    return session


def beaten(store: Store, clock: Clock, session: Session, *, expiry: float = AGENT_EXPIRY) -> Session:
    """``session`` after a heartbeat, back to life when it was found stale; all that it holds is renewed.

    The session of a process that beats by itself (a run, a queue worker) is left to that.
    """
    if session.kind != AGENT:
        return session
    expires, at = clock.monotonic() + expiry, clock.now()
    with store.transaction(durable=False):
        if not store.beat(session.id, expires=expires, at=at):
            now = store.session(session.id)
            if now is None or now.state is SessionState.ENDED:
                raise SessionEndedError(session.id, now.ended_at if now else None)
            store.move_session(now, SessionState.ACTIVE, expires=expires, heartbeat_at=at)
        store.renew_all(session.id, boot=clock.boot(), expires=expires)
        found = store.session(session.id)
    assert found is not None, "nobody else writes in this transaction"
    return found


def _alive_again(store: Store, clock: Clock, fresh: Session, *, keeps: bool) -> Session:
    """In one transaction: of several that come back under one name at once, one takes it over.

    ``keeps``: it is the next command of an attempt, whose commands are one after another.
    """
    with store.transaction(durable=False):
        found = store.session(fresh.id)
        if found is None:
            return register(store, fresh)
        is_over = found.state is SessionState.ENDED or not _lives(found, clock)
        if is_over and found.kind != AGENT:
            raise UsageError(f"session {fresh.id} is a {found.kind} of planctl's own, and has ended")
        if is_over and not keeps:
            release_all(store, clock, fresh.id, PROCESS_DEAD)
        if is_over:
            return taken_over(store, found, fresh)
        return beaten(store, clock, found, expiry=fresh.expires - clock.monotonic())


def taken_over(store: Store, found: Session, fresh: Session) -> Session:
    """The record of a session whose process is gone, for the process that comes back under its name.

    What still lives of it is the newcomer's: it ends with that one.
    """
    kept = ("kind", "pid", "process_started", "host", "boot", "started_at", "heartbeat_at", "expires")
    changes = {name: getattr(fresh, name) for name in (*kept, "parent_pid", "terminal", "container")}
    changes["children"] = tuple(child for child in found.children if _is_child(child, found))
    if found.state is SessionState.ACTIVE:
        found = store.move_session(found, SessionState.STALE)
    return store.move_session(found, SessionState.ACTIVE, **changes, ended_at=None)


def _is_child(child: Mapping[str, Any], of: Session) -> bool:
    return proven(child["pid"], child["started"], of.boot, of.host)


def _lives(session: Session, clock: Clock) -> bool:
    return is_alive(session.pid, session.process_started, session.boot, session.host, this_boot=clock.boot())
