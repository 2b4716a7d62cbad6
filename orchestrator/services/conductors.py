"""Who conducts a run, as far as it can be known from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.sessions.identity import is_alive
from orchestrator.states import RunState, SessionState

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import RunRecord, Session


def conductor_of(store: Store, run: RunRecord) -> Session | None:
    """The session that conducts ``run``, or None; one that is not proven dead counts as living."""
    if run.state is not RunState.ACTIVE:
        return None
    return living_session(store, run.session)


def living_session(store: Store, key: str | None) -> Session | None:
    """The session of that id unless it has ended or its process is proven dead."""
    session = store.session(key) if key else None
    if session is None or session.state is SessionState.ENDED:
        return None
    alive = is_alive(session.pid, session.process_started, session.boot, session.host)
    return session if alive else None
