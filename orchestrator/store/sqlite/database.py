"""One connection of one thread: how it is opened, one writer at a time, SQLite's faults as our errors.

1. ``busy_timeout`` is set before anything else: every later statement waits its turn.
2. ``synchronous=FULL``: in WAL mode NORMAL may lose the last commits in a power cut, and an intent that is
   lost after the references have moved, or a verdict, is what recovery needs. Heartbeats and renewals are
   committed with NORMAL: a lost one is made anew in seconds, and an fsync each would cost milliseconds.
3. A write transaction is ``BEGIN IMMEDIATE``: a reader that turns writer would be refused at once, without
   waiting, when another has written in between.
4. The file must still be the one that was opened: a store that was set aside takes no writes any more.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from orchestrator.errors import (
    BusyError,
    StaleRecordError,
    StoreRefusedError,
    StoreUnusableError,
    UnknownRecordError,
)
from orchestrator.store.sqlite.named import Named
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_MS: Final = 5000
"""How long one statement waits for a lock."""
PATIENCE: Final = 12
"""How many such waits a writer has before it gives up with :class:`BusyError`: a minute in all.

SQLite's waiting is not fair, so that one of many busy writers may well miss its turn for five seconds.
"""


PRAGMAS: Final = (
    f"busy_timeout = {BUSY_MS}",
    "foreign_keys = ON",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: fsync alone does not reach the disk there
)


_hands: Final = threading.RLock()
_here: Final[WeakSet[Database]] = WeakSet()
"""The connections of this process to files."""


class StoreCorruptError(StoreUnusableError):
    """The file is no store any more: SQLite cannot make sense of it."""


class Database:
    """One connection. It belongs to the thread that made it; SQLite's own check refuses others."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, identity: tuple[int, int] | None = None
    ) -> None:
        """``identity``: device and inode of the file; None for a copy in memory."""
        self.connection = connection
        self.path = path
        self.query = Named(connection)
        self._identity = identity
        self._depth = 0
        self._after: list[Callable[[], None]] = []
        connection.row_factory = sqlite3.Row

    @classmethod
    def connect(cls, path: Path, mode: str) -> Database:
        """Open ``path`` (``mode``: ``rw``, or ``rwc`` to make the file), without a look at what is in it.

        Raises :class:`FileNotFoundError` for ``rw`` when there is no file, and what :func:`translated` does.
        """
        identity = _identity(path)
        if identity is None and mode == "rw":
            raise FileNotFoundError(path)
        require_allowed(path, os.R_OK | os.W_OK)
        with translated(path), _hands:
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None)
            database = cls(connection, path, identity or _identity(path))
            _here.add(database)
        return database

    def set_up(self) -> None:
        """Set what every connection needs, and read the first page.

        Raises :class:`FileNotFoundError` when the file was set aside between our look and our opening, and
        what :func:`translated` does.
        """
        with translated(self.path):
            for pragma in PRAGMAS:
                self.connection.execute(f"PRAGMA {pragma}")
            self.connection.execute("PRAGMA user_version")
        if self._identity != _identity(self.path):
            raise FileNotFoundError(self.path)

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """One writer, all or nothing. A nested one is undone alone when it raises, else joins the outer.

        ``durable=False``: a power cut may lose it (a crash of the process does not).
        """
        with self._durably(durable=durable), self._block():
            yield
        if not self._depth:
            self._do_after()

    def after_commit(self, action: Callable[[], None]) -> None:
        """See :meth:`orchestrator.store.protocol.Store.after_commit`."""
        self._after.append(action)
        if not self._depth:
            self._do_after()

    def _do_after(self) -> None:
        while self._after:
            self._after.pop(0)()

    @contextlib.contextmanager
    def _durably(self, *, durable: bool) -> Iterator[None]:
        with translated(self.path):
            if self._depth or durable:
                yield
                return
            self.connection.execute("PRAGMA synchronous = NORMAL")
            try:
                yield
            finally:
                self.connection.execute("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def _block(self) -> Iterator[None]:
        inner, already = f"inner{self._depth}" if self._depth else "", len(self._after)
        self._depth += 1
        try:
            if inner:
                self.connection.execute(f"SAVEPOINT {inner}")
                yield
                self.connection.execute(f"RELEASE {inner}")
            else:
                self._begin()
                yield
                self._commit()
        except BaseException:
            del self._after[already:]
            self._undo(inner)
            raise
        finally:
            self._depth -= 1

    def _commit(self) -> None:
        try:
            with step("store.commit"):
                self.connection.execute("COMMIT")
        except OSError as error:
            raise StoreUnusableError(self.path, str(error)) from error

    def _undo(self, inner: str) -> None:
        if not self.connection.in_transaction:
            return  # never begun, or SQLite has rolled back by itself, as it does when the disk is full
        if inner:
            self.connection.execute(f"ROLLBACK TO {inner}")
            self.connection.execute(f"RELEASE {inner}")
        else:
            self.connection.execute("ROLLBACK")

    def _begin(self) -> None:
        if self._identity is not None and _identity(self.path) != self._identity:
            raise StoreUnusableError(self.path, "it was set aside or removed while it was open")
        for turn in range(1, PATIENCE + 1):
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or turn == PATIENCE:
                    raise
            else:
                return

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Around a query outside of a transaction: faults come out as ours."""
        return translated(self.path)

    def pragma(self, name: str) -> Any:
        """The first value that ``PRAGMA name`` gives."""
        with translated(self.path):
            return self.connection.execute(f"PRAGMA {name}").fetchone()[0]

    def close(self) -> None:
        """Close the connection; harmless when called twice."""
        self.connection.close()
        with _hands:
            _here.discard(self)


@contextlib.contextmanager
def by_hand(path: Path) -> Iterator[bool]:
    """Whether this process may open the store as files: it has no connection, nor gets one meanwhile."""
    with _hands:
        yield not any(database.path == path for database in _here)


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's faults as :class:`BusyError`, :class:`StoreCorruptError` or :class:`StoreUnusableError`.

    Violated constraints pass through: what they mean is known where the row is written.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "")
        if _is_busy(error):
            raise BusyError("the store", "another process") from error
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise StoreCorruptError(path, f"it is corrupt ({error})") from error
        if isinstance(error, sqlite3.ProgrammingError) or code == "SQLITE_ERROR":
            raise  # a bug of ours, not a fault of the file
        raise StoreUnusableError(path, str(error)) from error


@contextlib.contextmanager
def constrained(kind: str, key: str, parent: str = "") -> Iterator[None]:
    """Violated constraints as ours.

    A row that is there already, or in the way of a lock index: :class:`StaleRecordError`, somebody else was
    first. A row that refers to a ``parent`` that is not there: :class:`UnknownRecordError`.
    """
    try:
        yield
    except sqlite3.IntegrityError as error:
        code = error.sqlite_errorname
        if code in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}:
            raise StaleRecordError(kind, key) from error
        if code == "SQLITE_CONSTRAINT_FOREIGNKEY":
            raise UnknownRecordError(kind, key, parent) from error
        raise


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def require_allowed(path: Path, how: int) -> None:
    """Raise :class:`StoreRefusedError` for a file that is there and that this user may not open so."""
    found = path.stat() if path.exists() else None
    if found is not None and not os.access(path, how):
        wanted = "written" if how & os.W_OK else "read"
        whose = f"owner {found.st_uid}, mode {found.st_mode & 0o7777:o}"
        raise StoreRefusedError(path, f"it may not be {wanted} by this user ({whose})")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - on the way of every write; a Path costs three times as much
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
