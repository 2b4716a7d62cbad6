"""Tasks on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import TASK, TaskState
from orchestrator.store.sqlite.codec import Codec
from orchestrator.store.sqlite.tables import Tables
from orchestrator.store.taskrecords import TaskRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

_TASK: Final = Codec(TaskRecord, TaskState, TASK, "tasks.write")


class SqliteTasks(Tables):
    """See :class:`orchestrator.store.taskrecords.Tasks`."""

    def add_task(self, task: TaskRecord) -> None:
        """See the protocol."""
        self._add(_TASK, "tasks.add", task, task.id)

    def task(self, key: str) -> TaskRecord | None:
        """See the protocol."""
        return self._one(_TASK, "tasks.get", id=key)

    def tasks(self, *, plan: str | None = None, claimed_by: str | None = None) -> Sequence[TaskRecord]:
        """See the protocol."""
        return self._all(_TASK, "tasks.find", plan=plan, claimed_by=claimed_by)

    def move_task(self, task: TaskRecord, to: TaskState, **changes: Any) -> TaskRecord:
        """See the protocol."""
        return self._move(_TASK, task, to, changes)
