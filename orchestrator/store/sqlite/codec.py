"""A record to the values of a row, and back.

Texts that are not valid Unicode (paths and branch names with bytes that are not UTF-8 carry them as lone
surrogates) are kept as a BLOB of the very bytes; all others as TEXT. The rule is a function of the text,
so that equal texts stay equal in comparisons and unique indexes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping

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
        loaded = {}
        for name, read in self._readers:
            value = row[name]
            loaded[name] = None if value is None else read(value)
        return self.record(**loaded)

    @cached_property
    def _readers(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        """Each field with what reads its column; found once: a run reads its attempts every round."""
        return tuple((f.name, self._reader(f.name)) for f in fields(self.record))  # type: ignore[arg-type]

    def _reader(self, name: str) -> Callable[[Any], Any]:
        if name in self.mappings:
            return json.loads
        if name in self.tuples:
            return _tuple
        if name in self.flags:
            return bool
        if name == "state" and self.state is not None:
            return self.state
        return self.words.get(name, decoded)


def _tuple(value: str) -> tuple[Any, ...]:
    return tuple(json.loads(value))
