"""The named queries of ``store/queries/*.sql``, bound to one connection.

aiosql (8 ms to import, a fifth of a start of ``status``) parses a file of queries when the first of them is
used, once for a process.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiosql

from orchestrator.store.sqlite.codec import encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

QUERIES: Final = Path(__file__).parent.parent / "queries"


@cache
def family(name: str) -> Any:
    """The queries of ``queries/<name>.sql``."""
    return aiosql.from_path(QUERIES / f"{name}.sql", "sqlite3", encoding="utf-8")


class Named:
    """Runs queries by ``family.name`` on one connection; texts among the parameters are encoded."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, **parameters: Any) -> Iterator[sqlite3.Row]:
        """All rows of a ``SELECT``."""
        found: Iterator[sqlite3.Row] = self._run(query, parameters)
        return found

    def row(self, query: str, **parameters: Any) -> sqlite3.Row | None:
        """The only row of a ``SELECT`` (marked ``^``), or None."""
        found: sqlite3.Row | None = self._run(query, parameters)
        return found

    def change(self, query: str, **parameters: Any) -> int:
        """Run a write (marked ``!``); return how many rows it touched."""
        touched: int = self._run(query, parameters)
        return touched

    def insert(self, query: str, **parameters: Any) -> int:
        """Run an ``INSERT`` (marked ``<!``); return the integer key of the new row."""
        key: int = self._run(query, parameters)
        return key

    def _run(self, query: str, parameters: dict[str, Any]) -> Any:
        file, _, name = query.partition(".")
        run = getattr(family(file), name)
        return run(self._connection, **{key: encoded(value) for key, value in parameters.items()})
