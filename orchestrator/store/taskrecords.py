"""A task of a plan that somebody has claimed, and what a store does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.states import TaskState
from orchestrator.store.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TaskRecord(Record):
    """``id`` is ``plan:task``; ``token`` that of the lease ``task:<id>``, which the holder has to have still.

    ``worktree`` and ``branch`` are where it was worked on last. ``began`` is when it was started (claimed, as
    long as it was not), monotonic of ``boot``. ``note`` is what became of it before.
    """

    id: str
    plan: str
    task: str
    state: TaskState = TaskState.OPEN
    claimed_by: str | None = None
    token: int = 0
    claimed_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    duration_seconds: float | None = None
    result: str = ""
    note: str = ""
    worktree: str = ""
    branch: str = ""
    boot: str = ""
    began: float = 0.0
    version: int = 0


class Tasks(Protocol):
    """Tasks that somebody has claimed, now or before."""

    def add_task(self, task: TaskRecord) -> None:
        """Insert; StaleRecordError when the id is taken."""

    def task(self, key: str) -> TaskRecord | None:
        """One task, or None when nobody ever touched it."""

    def tasks(self, *, plan: str | None = None, claimed_by: str | None = None) -> Sequence[TaskRecord]:
        """Those that match all that is given, oldest first."""

    def move_task(self, task: TaskRecord, to: TaskState, **changes: Any) -> TaskRecord:
        """Guarded move."""
