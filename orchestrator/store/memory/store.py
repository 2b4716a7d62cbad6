"""All families of tables in memory, for all threads of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.store.memory.deliveries import MemoryDeliveries
from orchestrator.store.memory.leases import MemoryLeases
from orchestrator.store.memory.queue import MemoryEvents, MemoryQueue
from orchestrator.store.memory.runs import MemoryRuns
from orchestrator.store.memory.sessions import MemorySessions, MemorySlots
from orchestrator.store.memory.tasks import MemoryTasks

if TYPE_CHECKING:
    from collections.abc import Mapping


class MemoryStore(
    MemorySessions,
    MemoryLeases,
    MemoryTasks,
    MemoryRuns,
    MemoryQueue,
    MemorySlots,
    MemoryEvents,
    MemoryDeliveries,
):
    """See :class:`orchestrator.store.protocol.Store`. Unlike SQLite's, it is shared by all threads."""

    def close(self) -> None:
        """Nothing is held: the store may be shared, and stays usable."""

    def health(self) -> Mapping[str, Any]:
        """See the protocol."""
        return {"kind": "memory", "path": "", "version": 0, "integrity": "ok"}
