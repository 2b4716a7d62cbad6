"""What a worker does about lock files that are not its own to remove: it waits, and says which they are."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestrator.errors import StaleRecordError
from orchestrator.merging.tenure import remove_locks
from orchestrator.states import EntryState
from orchestrator.submitting import locked

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.errors import LocksInTheWayError
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


class LockWait:
    """Locks that keep a worker from taking the queue over at all."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._since: float | None = None
        self._met: LocksInTheWayError | None = None

    @property
    def met(self) -> LocksInTheWayError | None:
        """What is waited for now."""
        return self._met

    def bear(self, error: LocksInTheWayError) -> bool:
        """Store ``error`` as the reason of what is queued; return whether it is news.

        Raises it when that has lasted too long.
        """
        now = self._bench.clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= locked.PATIENCE:
            raise error
        is_news = self._met is None or self._met.locks != error.locks
        self._met = error
        self._say(error)
        return is_news

    def over(self) -> None:
        """The queue was taken over."""
        self._since = self._met = None

    def _say(self, error: LocksInTheWayError) -> None:
        store = self._bench.store
        why = {"code": locked.LOCKED, "detail": str(error), "paths": list(error.locks)}
        with store.transaction():
            for entry in store.entries(target=self._bench.target, states={EntryState.QUEUED}):
                if entry.reason.get("detail") != why["detail"]:
                    with contextlib.suppress(StaleRecordError):  # somebody moved it: it says why itself
                        store.update_entry(entry, reason={**entry.reason, **why})


class LockedEntries:
    """Entries whose landing met such a lock: they are tried again once it is gone."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._locks: dict[str, tuple[Path, ...]] = {}
        self._is_due = False

    def note(self, entry: Entry) -> None:
        """Remember an entry that was blocked, if it was by locks."""
        if entry.reason.get("code") != locked.LOCKED:
            return
        common = self._bench.repository.common_dir
        self._locks[entry.id] = tuple(common / path for path in entry.reason.get("paths", ()))

    def rest(self) -> None:
        """There is nothing to do: only now are locks that are no file due again, so that a worker can end."""
        self._is_due = True

    def freed(self) -> set[str]:
        """Forget and return those of which a lock is gone since.

        What a killed child left goes as soon as no other child is alive. A lock that is no file (another
        planctl follows in that checkout) tells nothing: such entries are tried again after each rest.
        """
        if self._locks:
            remove_locks(self._bench)
        gone = {key for key, locks in self._locks.items() if not all(lock.exists() for lock in locks)}
        if self._is_due:
            gone |= {key for key, locks in self._locks.items() if not locks}
        self._is_due = False
        for key in gone:
            del self._locks[key]
        return gone
