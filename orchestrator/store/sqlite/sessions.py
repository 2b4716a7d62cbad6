"""Sessions on SQLite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import SESSION, SessionState
from orchestrator.store.records import Message, Session
from orchestrator.store.sqlite.codec import Codec, names
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_LISTS: Final = frozenset({"labels", "children", "left_behind"})
_SESSION: Final = Codec(Session, SessionState, SESSION, "sessions.write", tuples=_LISTS)
_MESSAGE: Final = Codec(Message)


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

    def update_session(self, session: Session, **changes: Any) -> Session:
        """See the protocol."""
        return self._update(_SESSION, session, changes)

    def beat(self, key: str, *, expires: float, at: str, task: str | None = None) -> bool:
        """See the protocol. Not durable: a lost beat is made anew in seconds."""
        with self._db.transaction(durable=False):
            return self._db.query.change("sessions.beat", id=key, expires=expires, at=at, task=task) == 1

    def add_message(self, message: Message) -> Message:
        """See the protocol."""
        with self._db.transaction():
            return replace(message, sequence=self._db.query.insert("messages.add", **_MESSAGE.row(message)))

    def unread(self, receiver: str) -> Sequence[Message]:
        """See the protocol."""
        return self._all(_MESSAGE, "messages.unread", receiver=receiver)

    def mark_read(self, receiver: str, *, sequence: int, at: str) -> int:
        """See the protocol."""
        with self._db.transaction():
            return self._db.query.change("messages.read", receiver=receiver, sequence=sequence, at=at)
