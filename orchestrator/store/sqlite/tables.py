"""What the families of tables share: one record, many records, an insert, a guarded write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from orchestrator.errors import StaleRecordError
from orchestrator.store.rules import Guarded, kind_of, moved, updated
from orchestrator.store.sqlite.database import constrained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from orchestrator.store.sqlite.codec import Codec
    from orchestrator.store.sqlite.database import Database

_MOST_READ: Final = 5000
_Record = TypeVar("_Record")
_Moving = TypeVar("_Moving", bound=Guarded)


class Tables:
    """A family of tables over one connection."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._read: dict[tuple[str, str], tuple[tuple[Any, ...], Any]] = {}

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """See :meth:`orchestrator.store.protocol.Store.transaction`."""
        return self._db.transaction(durable=durable)

    def after_commit(self, action: Callable[[], None]) -> None:
        """See :meth:`orchestrator.store.protocol.Store.after_commit`."""
        self._db.after_commit(action)

    def _one(self, codec: Codec[_Record], query: str, **parameters: Any) -> _Record | None:
        with self._db.reading():
            row = self._db.query.row(query, **parameters)
        return None if row is None else codec.load(row)

    def _one_kept(self, codec: Codec[_Record], query: str, **parameters: Any) -> _Record | None:
        """The same, for a record that each round of a run asks for."""
        with self._db.reading():
            row = self._db.query.row(query, **parameters)
        return None if row is None else self._known(codec, tuple(row.keys()), tuple(row))

    def _all(self, codec: Codec[_Record], query: str, **parameters: Any) -> list[_Record]:
        with self._db.reading():
            rows = self._db.query.rows(query, **parameters)
        columns = tuple(rows[0].keys()) if rows else ()
        return [self._known(codec, columns, tuple(row)) for row in rows]

    def _known(self, codec: Codec[_Record], columns: tuple[str, ...], content: tuple[Any, ...]) -> _Record:
        """The record of a row with this ``content``; of those that move the last reading is kept.

        A run reads hundreds in each round, and few have changed since. What was read before is told by all
        its columns, not by its version: that of a write which was undone comes a second time.
        """
        if not codec.table:
            return codec.loader(columns)(content)
        key = (codec.write, str(content[0]))
        known = self._read.get(key)
        if known is not None and known[0] == content:
            record: _Record = known[1]
            return record
        if len(self._read) >= _MOST_READ:
            self._read.clear()
        record = codec.loader(columns)(content)
        self._read[key] = (content, record)
        return record

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
