"""What the families of tables share: one record, many records, an insert, a guarded write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.errors import StaleRecordError
from orchestrator.store.rules import Guarded, kind_of, moved, updated
from orchestrator.store.sqlite.database import constrained

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from orchestrator.store.sqlite.codec import Codec
    from orchestrator.store.sqlite.database import Database

_Record = TypeVar("_Record")
_Moving = TypeVar("_Moving", bound=Guarded)


class Tables:
    """A family of tables over one connection."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def transaction(self) -> AbstractContextManager[None]:
        """See :meth:`orchestrator.store.protocol.Store.transaction`."""
        return self._db.transaction()

    def _one(self, codec: Codec[_Record], query: str, **parameters: Any) -> _Record | None:
        with self._db.reading():
            row = self._db.query.row(query, **parameters)
        return None if row is None else codec.load(row)

    def _all(self, codec: Codec[_Record], query: str, **parameters: Any) -> list[_Record]:
        with self._db.reading():
            return [codec.load(row) for row in self._db.query.rows(query, **parameters)]

    def _add(self, codec: Codec[_Record], query: str, record: _Record, key: str, parent: str = "") -> None:
        with self._db.transaction(), constrained(kind_of(record), key, parent):
            self._db.query.change(query, **codec.row(record))

    def _move(self, codec: Codec[_Moving], record: _Moving, to: Any, changes: Mapping[str, Any]) -> _Moving:
        return self._write(codec, record, moved(record, to, changes, codec.table))

    def _update(self, codec: Codec[_Moving], record: _Moving, changes: Mapping[str, Any]) -> _Moving:
        return self._write(codec, record, updated(record, changes))

    def _write(self, codec: Codec[_Moving], before: _Moving, after: _Moving) -> _Moving:
        """Write ``after`` where ``before`` still stands; return it as a reader would see it."""
        row = codec.row(after)
        key = str(row.get("id", row.get("name")))
        kind = kind_of(before)
        with self._db.transaction(), constrained(kind, key):
            was = {"was_state": str(before.state), "was_version": before.version}
            touched = self._db.query.change(codec.write, **row, **was)
            if not touched:
                raise StaleRecordError(kind, key)
        return codec.load(row)
