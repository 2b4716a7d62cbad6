"""The store as it is at one moment, read without changing a byte: for ``status`` and ``--dry-run``.

A plain read-only connection to a database in WAL mode makes the log and its index anew when they are not
there, and writes read marks when they are. So the content is copied into memory, from

- the file alone, opened ``immutable`` (no locks), when nothing is in the log. That nobody wrote meanwhile is
  seen from its time and size; then the copy is made anew.
- file and log with ``readonly_shm``: SQLite then reads the index of living writers without writing to it,
  and builds one of its own in memory when all of them are dead (tried on 3.40).
- copies of both in a temporary folder, when the index is missing or of another log: a writer was killed
  between beginning a log and its first commit. There the second way waits for ten seconds for a writer that
  will never come, and ends with "locking protocol" (``walBeginShmUnreliable``). A living writer is in that
  state for moments only; the time and size of both files tell.

Where this very process has the store open, none of these: to close one of its files takes the process's own
locks on it away (POSIX), under which its connections work. The copy is then made by one more connection.

The copy cannot be written to. It costs about 2 ms per MB, a look through it included.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, StoreUnusableError
from orchestrator.store.sqlite.database import BUSY_MS, Database, by_hand, require_allowed, translated
from orchestrator.store.sqlite.migrations import migrate
from orchestrator.store.sqlite.opening import require_sound, require_this_machine
from orchestrator.store.sqlite.store import SqliteStore
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES: Final = 10
_SALTS: Final = 8
_SALTS_OF_LOG: Final = 16
_SALTS_OF_INDEX: Final = 32
"""Where log and index hold the salts that they must share (https://www.sqlite.org/walformat.html)."""


class _Log(Enum):
    """What stands beside the file."""

    EMPTY = auto()
    INDEXED = auto()
    WITHOUT_INDEX = auto()


def open_snapshot(path: Path, boot: str, *, verify: bool = True) -> SqliteStore | None:
    """A copy in memory of the store at ``path``, or None when there is none.

    An older store is migrated in the copy. ``verify``: have SQLite look through all of it.
    Raises :class:`StoreUnusableError` (a corrupt store is left where it is), or :class:`BusyError` when the
    file never stood still.
    """
    with by_hand(path) as is_harmless:
        if is_harmless:
            return _read_by_hand(path, boot, verify=verify)
    return _read_beside(path, boot, verify=verify)


def _read_beside(path: Path, boot: str, *, verify: bool) -> SqliteStore:
    """By one more connection of a process that has some."""
    database = Database(sqlite3.connect(":memory:", isolation_level=None), path)
    try:
        with translated(path), _connected(path, "mode=ro") as source:
            source.backup(database.connection)
        return _usable(database, boot, verify=verify)
    except BaseException:
        database.close()
        raise


def _read_by_hand(path: Path, boot: str, *, verify: bool) -> SqliteStore | None:
    for _ in range(_TRIES):
        stamp = _stamp(path)
        if stamp is None:
            return None
        require_allowed(path, os.R_OK)
        database = Database(sqlite3.connect(":memory:", isolation_level=None), path)
        try:
            _copy(path, database.connection)
            if stamp == _stamp(path):
                return _usable(database, boot, verify=verify)
        except BaseException as error:
            database.close()
            moved = isinstance(error, StoreUnusableError | FileNotFoundError) and stamp != _stamp(path)
            if not moved:
                raise
        database.close()
    raise BusyError("the store", "a writer that gives no moment to read it")


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    with translated(path), _source(path) as source:
        source.backup(memory)


def _usable(database: Database, boot: str, *, verify: bool) -> SqliteStore:
    if verify:
        require_sound(database)
    with database.transaction():
        migrate(database)
    require_this_machine(database, boot, remember=False)
    database.connection.execute("PRAGMA query_only = ON")
    return SqliteStore(database)


def _stamp(path: Path) -> tuple[object, ...] | None:
    """What changes when the content of the database may have; SQLite itself looks after an indexed log."""
    try:
        found, log = path.stat(), _log(path)
        if log is _Log.INDEXED:
            return (log, found.st_ino)
        files = [found] if log is _Log.EMPTY else [found, _beside(path, "-wal").stat()]
    except FileNotFoundError:
        return _stamp(path) if path.exists() else None  # the log was deleted meanwhile
    return (log, *((one.st_ino, one.st_size, one.st_mtime_ns) for one in files))


def _log(path: Path) -> _Log:
    salts = _salts(_beside(path, "-wal"), _SALTS_OF_LOG)
    if len(salts) < _SALTS:
        return _Log.EMPTY
    return _Log.INDEXED if salts == _salts(_beside(path, "-shm"), _SALTS_OF_INDEX) else _Log.WITHOUT_INDEX


def _salts(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_SALTS)
    except FileNotFoundError:
        return b""


@contextlib.contextmanager
def _source(path: Path) -> Iterator[sqlite3.Connection]:
    log = _log(path)
    if log is _Log.EMPTY:
        with _connected(path, "immutable=1") as source:
            yield source
    elif log is _Log.INDEXED:
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
