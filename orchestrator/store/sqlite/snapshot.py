"""The store as it is at one moment, read without changing a byte: for ``status`` and ``--dry-run``.

A plain read-only connection to a database in WAL mode makes the log and its index anew when they are not
there, and writes read marks when they are. So the content is copied into memory, from

- the file alone, opened ``immutable`` (no locks), when there is no log: the last writer has closed it. That
  nobody wrote meanwhile is seen from its time and size; then the copy is made anew.
- file and log with ``readonly_shm``: SQLite then reads the index of living writers without writing to it,
  and builds one of its own in memory when all of them are dead (tried on 3.40).
- copies of both in a temporary folder, when the index is missing, which no living writer lets happen.

The copy cannot be written to. It costs about 2 ms per MB, a look through it included.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, StoreUnusableError
from orchestrator.store.sqlite.database import BUSY_MS, Database, require_allowed, translated
from orchestrator.store.sqlite.migrations import migrate
from orchestrator.store.sqlite.opening import require_sound, require_this_machine
from orchestrator.store.sqlite.store import SqliteStore
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES: Final = 10


def open_snapshot(path: Path, boot: str) -> SqliteStore | None:
    """A copy in memory of the store at ``path``, or None when there is none.

    An older store is migrated in the copy. Raises :class:`StoreUnusableError` (a corrupt store is left where
    it is), or :class:`BusyError` when the file never stood still.
    """
    for _ in range(_TRIES):
        stamp = _stamp(path)
        if stamp is None:
            return None
        require_allowed(path, os.R_OK)
        database = Database(sqlite3.connect(":memory:", isolation_level=None), path)
        try:
            _copy(path, database.connection)
            if stamp == _stamp(path):
                return _usable(database, boot)
        except BaseException as error:
            database.close()
            if not isinstance(error, StoreUnusableError) or stamp == _stamp(path):
                raise
        database.close()
    raise BusyError("the store", "a writer that gives no moment to read it")


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    with translated(path), _source(path) as source:
        source.backup(memory)


def _usable(database: Database, boot: str) -> SqliteStore:
    require_sound(database)
    with database.transaction():
        migrate(database)
    require_this_machine(database, boot, remember=False)
    database.connection.execute("PRAGMA query_only = ON")
    return SqliteStore(database)


def _stamp(path: Path) -> tuple[object, ...] | None:
    """What changes when the content of the database may have: with a log only whether there is one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if _beside(path, "-wal").exists():
        return (True, found.st_ino)
    return (False, found.st_ino, found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def _source(path: Path) -> Iterator[sqlite3.Connection]:
    if not _beside(path, "-wal").exists():
        with _connected(path, "immutable=1") as source:
            yield source
    elif _beside(path, "-shm").exists():
        with _connected(path, "mode=ro&readonly_shm=1") as source:
            yield source
    else:
        import shutil  # noqa: PLC0415 - rarely needed, and status must start fast
        import tempfile  # noqa: PLC0415 - as above

        with step("store.snapshot"), tempfile.TemporaryDirectory(prefix="planctl-store-") as folder:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            shutil.copyfile(_beside(path, "-wal"), _beside(copy, "-wal"))
            with _connected(copy, "mode=rw") as source:
                yield source


@contextlib.contextmanager
def _connected(path: Path, options: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?{options}"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000)) as connection:
        yield connection


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
