"""Sessions of dead processes are ended and their leases given back, by one cleaner at a time.

1. the kernel lock; when another cleaner has it, say so and do nothing
2. look at every process
3. decide (``staleness``)
4. apply, each session in a transaction of its own; one that has beaten meanwhile is left alone
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, StaleRecordError
from orchestrator.events import EventName
from orchestrator.leases.kernel_lock import KernelLock
from orchestrator.leases.ledger import Action, end, note_wait
from orchestrator.sessions.death import is_abandoned, is_dead
from orchestrator.sessions.staleness import Judgement, judged, orphaned
from orchestrator.states import LIVING_SESSIONS, SessionState, TaskState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestrator.clock import Clock
    from orchestrator.store.leaserecords import Lease, LeaseWait
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session
    from orchestrator.store.taskrecords import TaskRecord

PROCESS_DEAD: Final = "its process is dead"


@dataclass(frozen=True, slots=True)
class Reaped:
    """What a cleaner did; ``skipped`` names the other cleaner when there was one, and nothing was done."""

    ended: tuple[Session, ...] = ()
    stale: tuple[Session, ...] = ()
    released: tuple[Lease, ...] = ()
    skipped: str | None = None


def reap(store: Store, clock: Clock, lock: Path) -> Reaped:
    """Clean up once; ``lock`` is the file that cleaners of this repository lock. No process is touched."""
    try:
        with KernelLock(lock, clock, "cleanup").held():
            return _reap(store, clock)
    except BusyError as busy:
        if busy.what != "cleanup":
            raise
        return Reaped(skipped=busy.holder)


def _reap(store: Store, clock: Clock) -> Reaped:
    now, boot = clock.monotonic(), clock.boot()
    living = store.sessions(LIVING_SESSIONS)
    dead = {s.id for s in living if is_dead(store, s, boot)}
    verdicts = judged(living, now=now, boot=boot, dead=dead)
    ended: list[Session] = []
    stale: list[Session] = []
    released: list[Lease] = []
    for session in living:
        try:
            if verdicts[session.id] is Judgement.END:
                released += _end(store, clock, session)
                ended.append(session)
            elif verdicts[session.id] is Judgement.STALE:
                stale.append(store.move_session(session, SessionState.STALE))
        except StaleRecordError:
            continue  # it has beaten, or ended, since we looked: it is well
    drop_abandoned(store, clock, store.waits())
    sessions = {session.id: session for session in store.sessions()}
    released += [
        lease
        for lease in orphaned(store.leases(), sessions, now=now, boot=boot)
        if end(store, clock, lease, Action.ENDED, "its session has ended")
    ]
    return Reaped(tuple(ended), tuple(stale), tuple(released))


def bury(store: Store, clock: Clock, keys: Sequence[str]) -> bool:
    """End the sessions whose process is proven dead, with all that they hold; whether there were any."""
    boot, buried = clock.boot(), False
    for key in dict.fromkeys(keys):
        session = store.session(key)
        if session is None or session.state is SessionState.ENDED:
            continue
        if is_dead(store, session, boot):
            try:
                _end(store, clock, session)
            except StaleRecordError:
                continue  # it was ended, or has beaten, since we looked
            buried = True
    return buried


def drop_abandoned(store: Store, clock: Clock, waits: Sequence[LeaseWait]) -> bool:
    """The places of waits whose process is proven dead are free; whether there were any."""
    found = False
    for wait in waits:
        if is_abandoned(wait, clock.boot()):
            with store.transaction(durable=False):
                if store.drop_wait(wait.ticket):
                    note_wait(store, clock, wait, Action.GAVE_UP, PROCESS_DEAD)
                    found = True
    return found


def _end(store: Store, clock: Clock, session: Session) -> list[Lease]:
    """Its rights are free; its children and worktrees are noted for a watchdog to look after."""
    with store.transaction():
        behind = tuple(sorted({*session.left_behind, *worktrees_of(store, session)}))
        store.move_session(session, SessionState.ENDED, ended_at=clock.now(), left_behind=behind)
        return release_all(store, clock, session.id, PROCESS_DEAD)


def worktrees_of(store: Store, session: Session) -> set[str]:
    """Where it works: the worktrees of its tasks, and its own."""
    return {session.worktree, *(task.worktree for task in store.tasks(claimed_by=session.id))} - {""}


def reopen(store: Store, clock: Clock, task: TaskRecord, why: str) -> TaskRecord:
    """The task is open again; its note says who had it, where, and what became of him."""
    at = f" in {task.worktree}" if task.worktree else ""
    on = f" on {task.branch}" if task.branch else ""
    note = f"{task.claimed_by} had it since {task.claimed_at}{at}{on}; {why}"
    opened = store.move_task(
        task, TaskState.OPEN, claimed_by=None, token=0, claimed_at=None, started_at=None, note=note
    )
    store.emit(
        EventName.TASK_RELEASED,
        at=clock.now(),
        plan=task.plan,
        task=task.id,
        session=task.claimed_by,
        detail=why,
    )
    return opened


def release_all(store: Store, clock: Clock, session: str, why: str = "its session ended") -> list[Lease]:
    """Give back every lease of ``session``, and its places in lines."""
    store.drop_waits_of(session)
    for task in store.tasks(claimed_by=session):
        if task.state in {TaskState.CLAIMED, TaskState.IN_PROGRESS}:
            reopen(store, clock, task, why)
    action = Action.ENDED if why == PROCESS_DEAD else Action.RELEASED
    return [lease for lease in store.leases(session=session) if end(store, clock, lease, action, why)]
