"""A record to the values of a row, and back.

Texts that are not valid Unicode (paths and branch names with bytes that are not UTF-8 carry them as lone
surrogates) are kept as a BLOB of the very bytes; all others as TEXT. The rule is a function of the text,
so that equal texts stay equal in comparisons and unique indexes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping, Sequence

_Record = TypeVar("_Record")


def encoded(value: Any) -> Any:
    """A plain value as SQLite takes it: texts by the rule above, the rest as it is."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogateescape")
    return value


def decoded(value: Any) -> Any:
    """The inverse of :func:`encoded`."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def names(values: Collection[str] | None) -> str | None:
    """A set of states as the JSON list that queries compare with; None stands for any."""
    return None if values is None else json.dumps(sorted(values))


@dataclass(frozen=True)
class Codec(Generic[_Record]):
    """How records of one type are kept; fields not named here are kept as they are.

    ``words`` are read by what makes an enum of them. Records that move have a ``state``, the ``table`` of
    its transitions, and the guarded query ``write``.
    """

    record: Callable[..., _Record]
    state: Callable[[str], Any] | None = None
    table: Mapping[Any, frozenset[Any]] = field(default_factory=dict)
    write: str = ""
    mappings: frozenset[str] = frozenset()
    tuples: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    words: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)

    def row(self, record: _Record) -> dict[str, Any]:
        """The named parameters of ``record``."""
        return {f.name: self._out(f.name, getattr(record, f.name)) for f in fields(record)}  # type: ignore[arg-type]

    def _out(self, name: str, value: Any) -> Any:
        if name in self.mappings:
            return json.dumps(dict(value))
        if name in self.tuples:
            return json.dumps(list(value))
        if name == "state" or name in self.words:
            return str(value)
        return encoded(value)

    def load(self, row: sqlite3.Row | Mapping[str, Any]) -> _Record:
        """The record of ``row``; columns that are no field of it are passed over."""
        names = tuple(row.keys())
        return self.loader(names)([row[name] for name in names])

    def loader(self, columns: tuple[str, ...]) -> Callable[[Sequence[Any]], _Record]:
        """What makes the record of the values of these ``columns``, found once."""
        known = self._loaders.get(columns)
        if known is None:
            names = [f.name for f in fields(self.record)]  # type: ignore[arg-type]
            places, readers = itemgetter(*map(columns.index, names)), tuple(map(self._reader, names))
            known = self._loaders[columns] = partial(_loaded, self.record, places, readers)
        return known

    @cached_property
    def _loaders(self) -> dict[tuple[str, ...], Callable[[Sequence[Any]], _Record]]:
        return {}

    def _reader(self, name: str) -> Callable[[Any], Any] | None:
        if name in self.mappings:
            return _mapping
        if name in self.tuples:
            return _tuple
        if name in self.flags:
            return bool
        if name == "state" and self.state is not None:
            return self.state
        return self.words.get(name)


def _loaded(
    record: Callable[..., _Record],
    places: Callable[[Sequence[Any]], tuple[Any, ...]],
    readers: tuple[Callable[[Any], Any] | None, ...],
    values: Sequence[Any],
) -> _Record:
    found = places(values)
    if bytes in map(type, found):
        found = tuple(map(decoded, found))
    read = [
        value if reader is None or value is None else reader(value)
        for value, reader in zip(found, readers, strict=True)
    ]
    return record(*read)


def _mapping(value: str) -> Any:
    return {} if value == "{}" else json.loads(value)


def _tuple(value: str) -> tuple[Any, ...]:
    return () if value == "[]" else tuple(json.loads(value))
