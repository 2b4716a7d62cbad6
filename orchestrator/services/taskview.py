"""Where each task stands: what plan files say, what sessions have claimed, what waits for what. Pure.

A claim counts as long as its lease does. A box that was ticked by hand is complete. A task waits for what its
``(after: …)`` names and for the tasks of the plan's earlier phases; within a phase the order is that in which
``claim --next`` gives them, since agents are to work at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.states import TaskState
from orchestrator.store.scopes import is_over

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.taskrecords import TaskRecord
    from plans.model import Plan, Task

PREFIX = "task:"
"""Before a task's id in the name of its lease."""
_HELD = frozenset({TaskState.CLAIMED, TaskState.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Standing:
    """One task. ``waits_for`` are the tasks that have to be complete before it may be claimed.

    ``is_lost``: the record names a holder whose lease is gone; the task counts as open.
    """

    id: str
    plan: Plan
    task: Task
    state: TaskState
    record: TaskRecord | None
    waits_for: tuple[str, ...] = ()
    is_lost: bool = False

    @property
    def is_available(self) -> bool:
        """Whether it may be claimed now."""
        return self.state is TaskState.OPEN and not self.waits_for


@dataclass(frozen=True, slots=True)
class Books:
    """What the store knows, at one moment; ``phases`` are completed ones, as (plan, phase)."""

    records: Mapping[str, TaskRecord]
    leases: Sequence[Lease]
    phases: Collection[tuple[str, str]]
    now: float
    boot: str


def task_key(plan: str, task: str) -> str:
    """The full id of a task."""
    return f"{plan}:{task}"


def is_held(record: TaskRecord, books: Books) -> bool:
    """Whether the holder that the record names has the lease still."""
    return record.state in _HELD and any(
        lease.name == PREFIX + record.id
        and (lease.session, lease.token) == (record.claimed_by, record.token)
        and not is_over(lease, now=books.now, boot=books.boot)
        for lease in books.leases
    )


def needed(plan: Plan, task: Task, phases: Collection[tuple[str, str]]) -> set[str]:
    """The tasks that have to be looked at to say where this one stands; itself among them."""
    return {task_key(plan.id, task.id), *_before(plan, task, phases)}


def standings(plans: Iterable[Plan], books: Books) -> list[Standing]:
    """Every task of every plan, in the order of the plans and their text."""
    return judged(((plan, task) for plan in plans for task in plan.tasks), books)


def judged(tasks: Iterable[tuple[Plan, Task]], books: Books) -> list[Standing]:
    """Where these tasks stand, in their order; all that they wait for has to be among them."""
    first = [_standing(plan, task, books) for plan, task in tasks]
    complete = {one.id for one in first if one.state is TaskState.COMPLETED}
    return [
        Standing(
            one.id, one.plan, one.task, one.state, one.record, _waits_for(one, complete, books), one.is_lost
        )
        for one in first
    ]


def _standing(plan: Plan, task: Task, books: Books) -> Standing:
    key = task_key(plan.id, task.id)
    record = books.records.get(key)
    lost = record is not None and record.state in _HELD and not is_held(record, books)
    by_box = TaskState.COMPLETED if task.done else TaskState.OPEN
    by_record = record is not None and not lost and record.state is not TaskState.OPEN
    state = record.state if record is not None and by_record else by_box
    return Standing(key, plan, task, state, record, is_lost=lost)


def _waits_for(one: Standing, complete: Collection[str], books: Books) -> tuple[str, ...]:
    if one.state is TaskState.COMPLETED:
        return ()
    return tuple(key for key in _before(one.plan, one.task, books.phases) if key not in complete)


def _before(plan: Plan, task: Task, phases: Collection[tuple[str, str]]) -> list[str]:
    """What it waits for: tasks that it names, and those of phases before its own that are not complete."""
    named = [ref if ":" in ref else task_key(plan.id, ref) for ref in task.after]
    if task.phase is None:
        return named
    order = list(dict.fromkeys(other.phase for other in plan.tasks if other.phase is not None))
    before = {phase for phase in order[: order.index(task.phase)] if (plan.id, phase) not in phases}
    earlier = [task_key(plan.id, other.id) for other in plan.tasks if other.phase in before] if before else []
    return list(dict.fromkeys([*named, *earlier]))


def suits(plan: Plan, labels: Collection[str]) -> bool:
    """Whether a session that can do ``labels`` can do the plan; one that says nothing can do anything."""
    return not labels or set(plan.labels) <= set(labels)


def best(found: Iterable[Standing], labels: Collection[str]) -> list[Standing]:
    """What may be claimed by who can do ``labels``, the best first.

    By the plan's priority, then by how many of the labels it needs (what only few can do goes to those who
    can), then in the order of the plans and their text.
    """
    fitting = [one for one in found if one.is_available and suits(one.plan, labels)]
    return sorted(fitting, key=lambda one: (-one.plan.priority, -len(set(one.plan.labels) & set(labels))))
