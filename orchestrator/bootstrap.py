"""The only place that picks a store. Everything else is given one, or a factory of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.store.protocol import Store, StoreOpened
    from worktrees.repository import Repository


def store_path(repository: Repository) -> Path:
    """Where the store of ``repository`` is, shared by all its worktrees."""
    return repository.state_dir / "state.db"


def open_store(repository: Repository, *, verify: bool = True) -> StoreOpened:
    """Open the store for the calling thread, and make, migrate or replace it where that is needed.

    ``verify=False`` leaves out the look through the whole file (2 ms per MB), for commands that are called
    often. Raises :class:`~orchestrator.errors.StoreUnusableError` or :class:`~orchestrator.errors.BusyError`.
    """
    from orchestrator.store.sqlite.opening import open_sqlite  # noqa: PLC0415 - not before a store is opened

    return open_sqlite(store_path(repository), SystemClock(), verify=verify)


def open_readonly_store(repository: Repository) -> Store:
    """The store as it is now, for ``status`` and ``--dry-run``: a copy, no byte on disk is changed.

    An empty one where there is none. A corrupt store is left where it is:
    :class:`~orchestrator.errors.StoreUnusableError`.
    """
    from orchestrator.store.sqlite.snapshot import open_snapshot  # noqa: PLC0415 - as above

    return open_snapshot(store_path(repository), SystemClock().boot()) or memory_store()


def memory_store() -> Store:
    """An empty store in memory, shared by all threads that are given it."""
    from orchestrator.store.memory.store import MemoryStore  # noqa: PLC0415 - as above

    return MemoryStore()


def thread_store(repository: Repository) -> Callable[[], Store]:
    """A factory: each call opens the store for the thread that calls, which closes it."""
    return lambda: open_store(repository, verify=False).store
