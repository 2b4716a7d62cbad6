"""Tasks under the names of the contract, and what a dead holder has left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.states import TaskState
from orchestrator.store.taskrecords import TaskRecord
from worktrees.tips import names_below, read_tip

if TYPE_CHECKING:
    from orchestrator.services.taskview import Standing
    from worktrees.repository import Repository


def left_behind(repository: Repository, record: TaskRecord) -> dict[str, Any]:
    """What the last holder of a task that is open again has left: branch, last commit, newest rescue."""
    tip = read_tip(repository.common_dir, f"refs/heads/{record.branch}") if record.branch else None
    rescues = names_below(repository.common_dir, f"refs/planctl/rescue/{record.plan}")
    return {
        "worktree": record.worktree or None,
        "branch": record.branch or None,
        "commit": tip,
        "rescue": rescues[-1] if rescues else None,
    }


def task_data(one: Standing, repository: Repository) -> dict[str, Any]:
    """One task under the names of the contract, and what else there is to say of it."""
    record = one.record
    known = record is not None and not one.is_lost and one.state is record.state
    shown = record if record is not None and known else TaskRecord(one.id, one.plan.id, one.task.id)
    is_left = record is not None and one.state is TaskState.OPEN and bool(record.note or one.is_lost)
    return {
        "id": one.id,
        "plan": one.plan.id,
        "phase": one.task.phase,
        "title": one.task.title,
        "state": one.state.value,
        **_written(shown),
        "available": one.is_available,
        "waits_for": list(one.waits_for),
        "note": record.note or None if record is not None else None,
        "left": left_behind(repository, record) if is_left and record is not None else None,
    }


def lone_data(record: TaskRecord) -> dict[str, Any]:
    """The same of a task that is in no plan file any more."""
    return {
        "id": record.id,
        "plan": record.plan,
        "phase": None,
        "title": None,
        "state": record.state.value,
        **_written(record),
        "available": False,
        "waits_for": [],
        "note": record.note or None,
        "left": None,
    }


def _written(record: TaskRecord) -> dict[str, Any]:
    return {
        "claimed_by": record.claimed_by,
        "claimed_at": record.claimed_at,
        "started_at": record.started_at,
        "completed_at": record.completed_at,
        "duration_seconds": record.duration_seconds,
        "result": record.result or None,
    }
