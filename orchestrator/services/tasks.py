"""Claim a task, start it, complete it, give it back: one transaction each, and only by its holder.

1. sessions that hold what is asked for and whose process is proven dead are ended: their tasks are open again
2. in one transaction: look where the task stands, decide, grant the lease ``task:<id>``, move the record
3. a box is ticked inside that transaction: killed in between, it is ticked, so the task is complete

Promised: of all that claim a task, one has it; nobody else changes it while that one lives and is heard of.
Not promised: that nobody else works on it: a claim is an agreement among those who ask.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.clock import seconds_between
from orchestrator.errors import NothingToDoError, TaskRefusedError, TaskTakenError
from orchestrator.events import EventName
from orchestrator.leases.lease import Wanted, asked_lease, who
from orchestrator.leases.ledger import end, grant
from orchestrator.services.taskplaces import Place, mark, places
from orchestrator.services.taskview import (
    PREFIX,
    Books,
    Standing,
    best,
    is_held,
    judged,
    needed,
    standings,
    task_key,
)
from orchestrator.sessions.cleanup import bury, reopen
from orchestrator.sessions.death import is_dead
from orchestrator.states import TaskState
from orchestrator.store.taskrecords import TaskRecord
from plans.errors import UnknownTaskError
from plans.ids import TaskId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session
    from plans.model import Plan, Task
    from worktrees.repository import Repository

_HELD = frozenset({TaskState.CLAIMED, TaskState.IN_PROGRESS})


@dataclass(frozen=True)
class Desk:
    """What the commands on tasks work with; ``session`` is for whom, None for those who only look."""

    repository: Repository
    store: Store
    clock: Clock
    session: Session | None
    places: Mapping[str, Place]

    @classmethod
    def opened(
        cls,
        repository: Repository,
        store: Store,
        clock: Clock,
        session: Session | None,
        environ: Mapping[str, str],
    ) -> Desk:
        """With every plan file read."""
        return cls(repository, store, clock, session, places(repository, store, environ))

    @property
    def holder(self) -> Session:
        """For whom it is."""
        assert self.session is not None, "a command that changes something speaks for a session"
        return self.session

    def standings(self) -> list[Standing]:
        """Where every task stands now."""
        plans = [place.plan for place in self.places.values()]
        return standings(plans, self.books())

    def books(self) -> Books:
        """What the store knows now; what sessions hold whose process is proven dead counts no more."""
        held = [lease for lease in self.store.leases() if lease.name.startswith(PREFIX)]
        living = {key for key in {lease.session for lease in held} if self._lives(key)}
        return Books(
            records={record.id: record for record in self.store.tasks()},
            leases=[lease for lease in held if lease.session in living],
            phases=self._phases(),
            now=self.clock.monotonic(),
            boot=self.clock.boot(),
        )

    def find(self, key: str) -> Standing:
        """One task, by a look at nothing but what it depends on; UnknownTaskError with those of its plan."""
        if key not in self._tasks:
            name = f"{key.partition(':')[0]}:"
            raise UnknownTaskError(key, tuple(one for one in self._tasks if one.startswith(name)))
        phases = self._phases()
        keys = sorted(needed(*self._tasks[key], phases))
        records = [self.store.task(one) for one in keys]
        books = Books(
            records={record.id: record for record in records if record is not None},
            leases=[lease for one in keys for lease in self.store.leases(PREFIX + one)],
            phases=phases,
            now=self.clock.monotonic(),
            boot=self.clock.boot(),
        )
        found = judged([self._tasks[one] for one in keys if one in self._tasks], books)
        return next(one for one in found if one.id == key)

    @cached_property
    def _tasks(self) -> dict[str, tuple[Plan, Task]]:
        return {
            task_key(place.plan.id, task.id): (place.plan, task)
            for place in self.places.values()
            for task in place.plan.tasks
        }

    def _lives(self, key: str) -> bool:
        found = self.store.session(key)
        return found is not None and not is_dead(self.store, found, self.clock.boot())

    def _phases(self) -> set[tuple[str, str]]:
        return {(done.plan, done.phase) for done in self.store.phases_done()}


def claim(desk: Desk, key: str, *, force: bool = False) -> TaskRecord:
    """Claim a task; its holder gets it once more.

    Raises TaskTakenError, TaskRefusedError, UnknownTaskError.
    """
    before = desk.find(key)
    holder = before.record.claimed_by if before.record is not None and before.state in _HELD else None
    if holder not in {None, desk.holder.id} and not bury(desk.store, desk.clock, [str(holder)]):
        return _held_already(desk, before)
    with desk.store.transaction():
        one = desk.find(key)
        if one.state in _HELD:
            return _held_already(desk, one)
        if one.state is TaskState.COMPLETED and not force:
            raise TaskRefusedError(key, "is complete; --force claims it again")
        if one.waits_for and not force:
            raise TaskRefusedError(key, f"waits for {', '.join(one.waits_for[:5])}")
        return _claimed(desk, one)


def claim_next(desk: Desk, plan: str | None = None) -> TaskRecord:
    """Claim the best open task for the session; NothingToDoError when there is none."""
    holders = [r.claimed_by for r in desk.store.tasks() if r.state in _HELD and r.claimed_by]
    bury(desk.store, desk.clock, [key for key in holders if key != desk.holder.id])
    with desk.store.transaction():
        found = [one for one in desk.standings() if plan in {None, one.plan.id}]
        for one in best(found, desk.holder.labels):
            with contextlib.suppress(TaskTakenError):  # its holder has died since we looked
                return _claimed(desk, one)
    waiting = sum(one.state is TaskState.OPEN for one in found)
    raise NothingToDoError(f"no task can be claimed now ({waiting} open ones wait or need other labels)")


def start(desk: Desk, key: str) -> TaskRecord:
    """Say that work on it has begun."""
    with desk.store.transaction():
        record = _require_mine(desk, key)
        if record.state is TaskState.IN_PROGRESS:
            return record
        at = desk.clock.now()
        began = {"started_at": at, "began": desk.clock.monotonic(), "boot": desk.clock.boot()}
        record = desk.store.move_task(record, TaskState.IN_PROGRESS, **began)
        _tell(desk, EventName.TASK_STARTED, record)
    return record


def complete(desk: Desk, key: str, result: str = "") -> tuple[TaskRecord, bool]:
    """Complete it with its result, and tick its box; also whether there was one to tick."""
    with desk.store.transaction():
        record = _require_mine(desk, key)
        place = desk.places.get(record.plan)
        done = desk.store.move_task(
            record,
            TaskState.COMPLETED,
            completed_at=desk.clock.now(),
            duration_seconds=_duration(desk, record),
            result=result,
        )
        _give_back(desk, record)
        _tell(desk, EventName.TASK_COMPLETED, done)
        ticked = place is not None and mark(place, TaskId.parse(record.task), done=True)
    return done, ticked


def release(desk: Desk, key: str, note: str = "") -> TaskRecord:
    """Give it back undone; ``note`` is for whoever takes it next."""
    with desk.store.transaction():
        record = _require_mine(desk, key)
        _give_back(desk, record)
        return reopen(desk.store, desk.clock, record, note or "it was given back")


def _held_already(desk: Desk, one: Standing) -> TaskRecord:
    assert one.record is not None
    if one.record.claimed_by == desk.holder.id:
        return one.record
    since = f"{who(desk.store, str(one.record.claimed_by))} since {one.record.claimed_at}"
    raise TaskTakenError(one.id, since)


def _claimed(desk: Desk, one: Standing) -> TaskRecord:
    """Inside a transaction: the lease, then the record, and the box is open again."""
    session, clock = desk.holder, desk.clock
    wanted = Wanted(PREFIX + one.id, session.id, "task", max(1.0, session.expires - clock.monotonic()))
    lease = grant(desk.store, clock, asked_lease(clock, wanted))
    if lease is None:
        raise TaskTakenError(one.id, "another session")
    record, place = _record(desk, one), desk.places[one.plan.id]
    claimed = desk.store.move_task(
        record,
        TaskState.CLAIMED,
        claimed_by=session.id,
        token=lease.token,
        claimed_at=clock.now(),
        started_at=None,
        completed_at=None,
        duration_seconds=None,
        result="",
        worktree=str(place.worktree),
        branch=place.branch,
        boot=clock.boot(),
        began=clock.monotonic(),
    )
    if one.state is TaskState.COMPLETED:
        mark(place, one.task.id, done=False)
    desk.store.beat(session.id, expires=session.expires, at=clock.now(), task=one.id)
    desk.store.emit(
        EventName.TASK_CLAIMED, at=clock.now(), plan=claimed.plan, task=claimed.id, session=session.id
    )
    return claimed


def _record(desk: Desk, one: Standing) -> TaskRecord:
    """The record to move: made when missing, opened when its holder lost it, with a note of what he left."""
    if one.record is None:
        made = TaskRecord(one.id, one.plan.id, one.task.id)
        desk.store.add_task(made)
        return made
    if one.is_lost:
        return reopen(desk.store, desk.clock, one.record, "nothing was heard of it in time")
    return one.record


def _require_mine(desk: Desk, key: str) -> TaskRecord:
    """The record of a task that the session holds, in a plan file or not any more; else TaskRefusedError."""
    record = desk.store.task(key)
    if record is None:
        desk.find(key)
        raise TaskRefusedError(key, "is claimed by nobody; `planctl task claim` it first")
    if record.state is TaskState.COMPLETED:
        raise TaskRefusedError(key, f"is complete since {record.completed_at}")
    if record.claimed_by != desk.holder.id:
        holder = record.claimed_by or "nobody"
        raise TaskRefusedError(key, f"is not {desk.holder.id}'s: it is held by {holder}")
    if not _is_held(desk, record):
        raise TaskRefusedError(key, "was lost: its lease ran out or was broken; claim it again")
    return record


def _is_held(desk: Desk, record: TaskRecord) -> bool:
    leases = desk.store.leases(PREFIX + record.id)
    return is_held(record, Books({}, leases, (), desk.clock.monotonic(), desk.clock.boot()))


def _give_back(desk: Desk, record: TaskRecord) -> None:
    for lease in desk.store.leases(PREFIX + record.id, session=record.claimed_by):
        end(desk.store, desk.clock, lease)
    desk.store.beat(desk.holder.id, expires=desk.holder.expires, at=desk.clock.now(), task="")


def _duration(desk: Desk, record: TaskRecord) -> float:
    """From the start (or the claim) to now; by wall time where the machine was started anew in between."""
    if record.boot == desk.clock.boot():
        return round(desk.clock.monotonic() - record.began, 3)
    began = record.started_at or record.claimed_at
    return max(0.0, seconds_between(began, desk.clock.now())) if began else 0.0


def _tell(desk: Desk, event: EventName, record: TaskRecord) -> None:
    desk.store.emit(
        event,
        at=desk.clock.now(),
        plan=record.plan,
        task=record.id,
        session=record.claimed_by,
        seconds=record.duration_seconds,
        labels=list(desk.holder.labels),
    )
