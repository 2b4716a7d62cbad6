"""The log of events and the named values on SQLite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.store.records import StoredEvent
from orchestrator.store.sqlite.codec import Codec, decoded
from orchestrator.store.sqlite.measures import SqliteMeasures

if TYPE_CHECKING:
    from collections.abc import Sequence

_EVENT: Final = Codec(StoredEvent, mappings=frozenset({"data"}))


class SqliteEvents(SqliteMeasures):
    """See :class:`orchestrator.store.protocol.Events`."""

    def emit(
        self, event: str, *, at: str, run: str | None = None, plan: str | None = None, **data: Any
    ) -> StoredEvent:
        """See the protocol."""
        row = _EVENT.row(StoredEvent(0, at, event, run, plan, data))
        with self._db.transaction():
            sequence = self._db.query.insert("events.add", **row)
        return replace(_EVENT.load(row), sequence=sequence)

    def events_after(
        self, sequence: int, *, run: str | None = None, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """See the protocol."""
        return self._all(_EVENT, "events.after", sequence=sequence, run=run, limit=limit)

    def value(self, key: str) -> str | None:
        """See the protocol."""
        with self._db.reading():
            row = self._db.query.row("events.value", key=key)
        return None if row is None else decoded(row["value"])

    def set_value(self, key: str, value: str | None) -> None:
        """See the protocol."""
        with self._db.transaction():
            if value is None:
                self._db.query.change("events.drop_value", key=key)
            else:
                self._db.query.change("events.set_value", key=key, value=value)

    def prune(self, *, events: str, sessions: str) -> int:
        """See the protocol."""
        with self._db.transaction():
            self.sum_up(before=events)
            return (
                self._db.query.change("events.prune", before=events)
                + self._db.query.change("leases.prune_notes", before=events)
                + self._db.query.change("messages.prune", before=events)
                + self._db.query.change("deliveries.prune", before=events)
                + self._db.query.change("sessions.prune", before=sessions)
            )
