"""The named queries of ``store/queries/*.sql``, bound to one connection.

The files are in the format of aiosql: ``-- name: find(states)`` and the statement under it, ``^`` for one
row, ``!`` for a write, ``<!`` for an insert that gives its key, nothing for many rows. They are read here,
not by aiosql, whose import costs 38 ms where ``import click, sqlite3`` costs 48; a test holds that aiosql
reads the same names, kinds, parameters and statements out of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.store.sqlite.codec import encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

QUERIES: Final = Path(__file__).parent.parent / "queries"
_HEAD: Final = re.compile(r"(\w+)\(([\w, ]*)\)(\^|!|<!|)\n")


class Kind(StrEnum):
    """What a query gives."""

    ROWS = ""
    ROW = "^"
    TOUCHED = "!"
    KEY = "<!"


@dataclass(frozen=True)
class Query:
    """One statement with the names of its parameters."""

    kind: Kind
    parameters: tuple[str, ...]
    sql: str


@cache
def family(name: str) -> Mapping[str, Query]:
    """The queries of ``queries/<name>.sql`` by name, read once for a process.

    Raises :class:`ValueError` for a query without a proper head.
    """
    text = (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
    return dict(_read(part) for part in text.split("-- name: ")[1:])


def _read(part: str) -> tuple[str, Query]:
    head = _HEAD.match(part)
    if head is None:
        raise ValueError(f"not the head of a query: {part.splitlines()[0]!r}")
    lines = part[head.end() :].splitlines()
    sql = "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip()
    parameters = tuple(name.strip() for name in head[2].split(",") if name.strip())
    return head[1], Query(Kind(head[3]), parameters, sql)


class Named:
    """Runs queries by ``family.name`` on one connection; texts among the parameters are encoded."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, **parameters: Any) -> list[sqlite3.Row]:
        """All rows."""
        return self._run(query, Kind.ROWS, parameters).fetchall()

    def row(self, query: str, **parameters: Any) -> sqlite3.Row | None:
        """The only row, or None."""
        found: sqlite3.Row | None = self._run(query, Kind.ROW, parameters).fetchone()
        return found

    def change(self, query: str, **parameters: Any) -> int:
        """Run a write; return how many rows it touched."""
        return self._run(query, Kind.TOUCHED, parameters).rowcount

    def insert(self, query: str, **parameters: Any) -> int:
        """Insert one row; return its integer key."""
        return self._run(query, Kind.KEY, parameters).lastrowid or 0

    def _run(self, query: str, kind: Kind, parameters: dict[str, Any]) -> sqlite3.Cursor:
        file, _, name = query.partition(".")
        found = family(file)[name]
        if found.kind is not kind:
            raise TypeError(f"{query} is a query of kind {found.kind!r}, not {kind!r}")
        values = {key: encoded(parameters[key]) for key in found.parameters}
        return self._connection.execute(found.sql, values)
