"""The schema is the sum of ``store/migrations/NNNN_*.sql``, applied in order in one transaction.

``PRAGMA user_version`` is the number of the last one that was applied; it is part of the transaction, so a
process killed in the middle leaves the store as it was.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import StoreRefusedError
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.store.sqlite.database import Database

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"


@cache
def migrations() -> Sequence[Path]:
    """The files in order; number N is the N-th of them, counted from 1."""
    return tuple(sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql")))


def is_current(database: Database) -> bool:
    """Whether nothing needs to be applied; raise :class:`StoreRefusedError` when the store is newer."""
    found, known = database.pragma("user_version"), len(migrations())
    if found > known:
        reason = f"a newer planctl made it (version {found}, this one knows {known})"
        raise StoreRefusedError(database.path, reason)
    return bool(found == known)


def migrate(database: Database) -> None:
    """Bring the schema up to date, inside the caller's transaction."""
    if is_current(database):
        return
    for path in migrations()[database.pragma("user_version") :]:
        for statement in statements(path.read_text(encoding="utf-8")):
            with step("store.migrate"):
                database.connection.execute(statement)
    database.connection.execute(f"PRAGMA user_version = {len(migrations())}")


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one (``executescript`` would commit the transaction around it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"a statement without its end: {statement.strip()[:60]}")
