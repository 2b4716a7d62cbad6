"""All families of tables over one connection: the store that ``bootstrap`` hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.store.sqlite.deliveries import SqliteDeliveries
from orchestrator.store.sqlite.events import SqliteEvents
from orchestrator.store.sqlite.leases import SqliteLeases
from orchestrator.store.sqlite.queue import SqliteQueue
from orchestrator.store.sqlite.runs import SqliteRuns
from orchestrator.store.sqlite.sessions import SqliteSessions
from orchestrator.store.sqlite.slots import SqliteSlots
from orchestrator.store.sqlite.tasks import SqliteTasks
from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Mapping


class SqliteStore(
    SqliteSessions,
    SqliteLeases,
    SqliteTasks,
    SqliteRuns,
    SqliteQueue,
    SqliteSlots,
    SqliteEvents,
    SqliteDeliveries,
):
    """See :class:`orchestrator.store.protocol.Store`. For the thread that opened it, and no other."""

    def close(self) -> None:
        """See the protocol."""
        self._db.close()

    def health(self) -> Mapping[str, Any]:
        """See the protocol; takes about 6 ms per MB."""
        return {
            "kind": "sqlite",
            "path": str(self._db.path),
            "version": self._db.pragma("user_version"),
            "integrity": self._integrity(),
            "journal_mode": self._db.pragma("journal_mode"),
            "synchronous": self._db.pragma("synchronous"),
            "busy_timeout_ms": self._db.pragma("busy_timeout"),
            "bytes": self._db.pragma("page_count") * self._db.pragma("page_size"),
        }

    def _integrity(self) -> str:
        try:
            found = self._db.pragma("integrity_check")
            with self._db.reading():
                orphans = self._db.connection.execute("PRAGMA foreign_key_check").fetchall()
        except PlanctlError as error:
            return str(error)
        return f"{len(orphans)} rows without their parent" if found == "ok" and orphans else str(found)
