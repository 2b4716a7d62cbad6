"""Tasks in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.states import TASK, TaskState
from orchestrator.store.memory.tables import Tables
from orchestrator.store.rules import moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.taskrecords import TaskRecord


class MemoryTasks(Tables):
    """See :class:`orchestrator.store.taskrecords.Tasks`."""

    def add_task(self, task: TaskRecord) -> None:
        """See the protocol."""
        self._add("tasks", task.id, task)

    def task(self, key: str) -> TaskRecord | None:
        """See the protocol."""
        found: TaskRecord | None = self._one("tasks", key)
        return found

    def tasks(self, *, plan: str | None = None, claimed_by: str | None = None) -> Sequence[TaskRecord]:
        """See the protocol."""
        return self._all("tasks", lambda t: plan in {None, t.plan} and claimed_by in {None, t.claimed_by})

    def move_task(self, task: TaskRecord, to: TaskState, **changes: Any) -> TaskRecord:
        """See the protocol."""
        return self._write("tasks", task.id, task, moved(task, to, changes, TASK))
