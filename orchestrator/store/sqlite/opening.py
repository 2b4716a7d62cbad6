"""A store is opened: found as it should be, or made so by one process alone.

The usual case takes no lock: the file is there, of our version, on this machine. Everything else (a new
store, a migration, a corrupt store) happens under a kernel lock, looked at again once it is held, because
switching to WAL and creating a schema are what SQLite does not wait for politely.

A store belongs to one machine: leases expire by its monotonic clock, and WAL needs shared memory. What tells
machines apart is the machine id, not the host's name, which changes with networks and containers. A
container without an id of its own counts as the machine that it runs on as long as that is up: the boot id
is the kernel's. So another machine is one with another machine id *and* another boot id. Not promised: to
tell apart two virtual machines cloned with one machine id.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.clock import machine
from orchestrator.errors import BusyError, StoreRefusedError, StoreUnusableError
from orchestrator.store.protocol import SET_ASIDE, StoreOpened
from orchestrator.store.sqlite import setting_aside
from orchestrator.store.sqlite.database import Database, StoreCorruptError
from orchestrator.store.sqlite.migrations import is_current, migrate
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.store.sqlite.tokens import FLOOR, next_floor
from plans import systems
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.clock import Clock

LOCK_SECONDS: Final = 60
_BETWEEN: Final = 0.01


def open_sqlite(path: Path, clock: Clock, *, verify: bool = True) -> StoreOpened:
    """Open the store at ``path`` for the calling thread, make it when there is none.

    ``verify``: have SQLite look through the whole file (about 2 ms per MB); what it finds corrupt is set
    aside, renamed beside the new store, and reported. Raises :class:`StoreUnusableError` for a store of a
    newer version, of another machine, or on a disk that refuses; :class:`BusyError` when another process is
    at this for a minute.
    """
    with contextlib.ExitStack() as suspects:
        database = _as_it_is(path, suspects, verify=verify)
        if database is None:
            with _alone(path):
                database = _made_ready(path, clock, suspects, verify=verify)
    try:
        after_boot = not require_this_machine(database, clock.boot())
        store = SqliteStore(database)
        set_aside = store.value(SET_ASIDE)
    except BaseException:
        database.close()
        raise
    return StoreOpened(store, Path(set_aside) if set_aside else None, after_boot)


def take_over(path: Path, clock: Clock) -> None:
    """Make a store of another machine this one's, when a person has said that the other is not using it."""
    with contextlib.closing(Database.connect(path, "rw")) as database:
        database.set_up()
        with database.transaction():
            _remember_machine(database, clock.boot())


def _as_it_is(path: Path, suspects: contextlib.ExitStack, *, verify: bool) -> Database | None:
    """The store when it needs nothing done, else None.

    The connection to a corrupt store is left open, to be closed by ``suspects`` when the store was set
    aside: the last connection to close writes the log into the file and deletes it, unless that has moved.
    """
    if setting_aside.marker(path).exists():
        return None
    try:
        database = Database.connect(path, "rw")
    except FileNotFoundError:
        return None
    except StoreUnusableError:
        if path.exists():
            raise
        return None  # set aside by another process between our look and our opening
    try:
        with _left_to(suspects, database):
            database.set_up()
            if is_current(database) and database.pragma("journal_mode") == "wal":
                if verify:
                    require_sound(database)
                return database
    except (StoreCorruptError, FileNotFoundError):
        return None
    database.close()
    return None


def _made_ready(path: Path, clock: Clock, suspects: contextlib.ExitStack, *, verify: bool) -> Database:
    """Under the lock: finish what was begun, set aside what is corrupt, create, migrate."""
    gone_to = setting_aside.unfinished(path)
    try:
        database = _prepared(path, clock, gone_to, suspects, verify=verify)
    except StoreCorruptError:
        if systems.WINDOWS:
            suspects.close()  # Windows renames no open file
        gone_to = setting_aside.begin(path, clock.now())
        database = _prepared(path, clock, gone_to, suspects, verify=verify)
    if gone_to is not None:
        setting_aside.end(path)
    return database


def _prepared(
    path: Path, clock: Clock, set_aside: Path | None, suspects: contextlib.ExitStack, *, verify: bool
) -> Database:
    database = Database.connect(path, "rwc")
    with _left_to(suspects, database):
        database.set_up()
        is_current(database)  # a newer store must not even be switched to WAL
        with step("store.wal"):
            mode = database.pragma("journal_mode = WAL")
        if mode != "wal":
            raise StoreUnusableError(path, f"its file system keeps no write-ahead log (mode {mode})")
        if verify:
            require_sound(database)
        with database.transaction():
            is_new = database.pragma("user_version") == 0
            migrate(database)
            if is_new and (floor := next_floor(path, clock.now(), is_lost=set_aside is not None)):
                database.query.change("events.set_meta", key=FLOOR, value=str(floor))
            if database.query.row("events.meta", key="machine") is None:
                _remember_machine(database, clock.boot())
            if set_aside is not None:
                SqliteStore(database).set_value(SET_ASIDE, str(set_aside))
    return database


def require_sound(database: Database) -> None:
    """Raise :class:`StoreCorruptError` when the pages of the file do not make a database."""
    found = database.pragma("quick_check(1)")
    if found != "ok":
        raise StoreCorruptError(database.path, f"it is corrupt ({found})")


def require_this_machine(database: Database, boot: str, *, remember: bool = True) -> bool:
    """Whether it was last opened in this very boot; ``remember`` this one.

    Raises :class:`StoreRefusedError` when the store is another machine's, :class:`StoreCorruptError` when the
    file does not tell.
    """
    with database.reading():
        owner = database.query.row("events.meta", key="machine")
        last_boot = database.query.row("events.meta", key="boot")
    same_boot = last_boot is not None and last_boot["value"] == boot
    if owner is not None and owner["value"] != machine() and not same_boot:
        raise StoreRefusedError(database.path, f"it belongs to another machine ({owner['value']})")
    if remember and not same_boot:
        with database.transaction():
            _remember_machine(database, boot)
    return same_boot


def _remember_machine(database: Database, boot: str) -> None:
    database.query.change("events.set_meta", key="machine", value=machine())
    database.query.change("events.set_meta", key="boot", value=boot)


@contextlib.contextmanager
def _left_to(suspects: contextlib.ExitStack, database: Database) -> Iterator[None]:
    """Close ``database`` when the body raises; when it is corrupt, not before ``suspects`` does."""
    try:
        yield
    except StoreCorruptError:
        suspects.callback(database.close)
        raise
    except BaseException:
        database.close()
        raise


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time makes, migrates or sets aside; the kernel lets go when it dies."""
    with contextlib.ExitStack() as stack:
        with step("store.folder"):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(path.with_name(f"{path.name}.lock").open("ab"))
        for _ in range(round(LOCK_SECONDS / _BETWEEN)):
            if systems.lock(lock.fileno(), wait=False):
                break
            threading.Event().wait(_BETWEEN)
        else:
            raise BusyError("the store", "another process that is making it ready")
        yield
