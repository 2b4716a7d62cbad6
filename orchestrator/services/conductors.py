"""Who conducts a run, as far as it can be known from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.sessions.death import living_session
from orchestrator.states import RunState

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import RunRecord, Session


def conductor_of(store: Store, run: RunRecord) -> Session | None:
    """The session that conducts ``run``, or None; one that is not proven dead counts as living."""
    if run.state is not RunState.ACTIVE:
        return None
    return living_session(store, run.session)
