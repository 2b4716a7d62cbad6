"""Sessions and leases on SQLite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import SESSION, SessionState
from orchestrator.store.records import Lease, Session
from orchestrator.store.rules import grantable
from orchestrator.store.sqlite.codec import Codec, names
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_SESSION: Final = Codec(Session, SessionState, SESSION, "sessions.write")
_LEASE: Final = Codec(Lease)


class SqliteSessions(Tables):
    """See :class:`orchestrator.store.protocol.Sessions`."""

    def add_session(self, session: Session) -> None:
        """See the protocol."""
        self._add(_SESSION, "sessions.add", session, session.id)

    def session(self, key: str) -> Session | None:
        """See the protocol."""
        return self._one(_SESSION, "sessions.get", id=key)

    def sessions(self, states: Collection[SessionState] | None = None) -> Sequence[Session]:
        """See the protocol."""
        return self._all(_SESSION, "sessions.find", states=names(states))

    def move_session(self, session: Session, to: SessionState, **changes: Any) -> Session:
        """See the protocol."""
        return self._move(_SESSION, session, to, changes)

    def beat(self, key: str, *, expires: float, at: str, task: str | None = None) -> bool:
        """See the protocol. Not durable: a lost beat is made anew in seconds."""
        with self._db.transaction(durable=False):
            return self._db.query.change("sessions.beat", id=key, expires=expires, at=at, task=task) == 1


class SqliteLeases(Tables):
    """See :class:`orchestrator.store.protocol.Leases`."""

    def grant(self, lease: Lease, *, now: float) -> Lease | None:
        """See the protocol. Durable: a token that was given once is never given again."""
        with self._db.transaction():
            last = self._db.query.row("leases.last", name=lease.name)
            if (
                last is not None
                and last["session"] is not None
                and not grantable(_LEASE.load(last), lease, now)
            ):
                return None
            granted = replace(lease, token=(last["token"] if last is not None else 0) + 1)
            self._db.query.change("leases.grant", **_LEASE.row(granted))
        return granted

    def renew(self, lease: Lease, *, expires: float) -> bool:
        """See the protocol. Not durable, as a beat is not."""
        with self._db.transaction(durable=False):
            return self._db.query.change("leases.renew", **_grant(lease), expires=expires) == 1

    def release(self, lease: Lease) -> bool:
        """See the protocol."""
        with self._db.transaction():
            return self._db.query.change("leases.release", **_grant(lease)) == 1

    def lease(self, name: str) -> Lease | None:
        """See the protocol."""
        return self._one(_LEASE, "leases.get", name=name)

    def leases(self) -> Sequence[Lease]:
        """See the protocol."""
        return self._all(_LEASE, "leases.find")


def _grant(lease: Lease) -> dict[str, Any]:
    return {"name": lease.name, "session": lease.session, "token": lease.token}
