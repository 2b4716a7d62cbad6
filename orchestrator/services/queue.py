"""The merge queue, for people and CI: add, drop, pause, explain, drain."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.events import EventName
from orchestrator.merging.settle import settle
from orchestrator.merging.worker import QueueWorker
from orchestrator.services.status import entry_json
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import OPEN_ENTRIES, AttemptState, EntryState
from orchestrator.submitting.submit import Work, submit
from worktrees.errors import InvalidReferenceError
from worktrees.git import branch_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Attempt, Entry
    from orchestrator.workbench import Workbench

_WITH_WORK = frozenset(
    {
        AttemptState.FINISHED,
        AttemptState.PREPARED,
        AttemptState.CONFLICTED,
        AttemptState.REJECTED,
        AttemptState.QUEUED,
    }
)


def add(bench: Workbench, name: str, *, priority: float | None = None, method: str | None = None) -> Entry:
    """Queue a plan's finished or prepared work, or any branch; the same head again is the same entry.

    Raises NothingToDoError when there is neither, UsageError for the target itself.
    """
    attempt = _attempt_with_work(bench, name)
    if attempt is not None:
        return _add_attempt(bench, attempt, priority, method)
    return _add_branch(bench, name, priority, method)


def _attempt_with_work(bench: Workbench, name: str) -> Attempt | None:
    found = bench.store.attempts(plan=name, states=_WITH_WORK)
    return found[-1] if found else None


def _add_attempt(bench: Workbench, attempt: Attempt, priority: float | None, method: str | None) -> Entry:
    """A prepared plan has its work on the branch; it counts as committed there by whoever did it."""
    head = attempt.head or bench.references.resolve(branch_reference(attempt.branch))
    base = attempt.base
    assert base is not None, "an attempt gets its base before it gets its worktree"
    if attempt.state is AttemptState.QUEUED:
        entry = bench.store.entry(attempt.entry or "")
        assert entry is not None
        return entry
    work = Work(
        target=bench.target,
        branch=attempt.branch,
        head=head,
        base=base,
        plan=attempt.plan,
        explicit_base=bool(attempt.stacked_on),
        method=method,
        priority=attempt.priority if priority is None else priority,
    )
    return submit(bench.store, bench.clock, work, attempt)


def _add_branch(bench: Workbench, name: str, priority: float | None, method: str | None) -> Entry:
    try:
        reference = branch_reference(name)
    except InvalidReferenceError as error:
        raise NothingToDoError(f"there is no plan with finished work and no branch {name!r}") from error
    head = bench.references.read(reference)
    if head is None:
        raise NothingToDoError(f"there is no plan with finished work and no branch {name!r}")
    if reference == bench.target:
        raise UsageError(f"{name} is the target itself")
    bases = bench.objects.merge_bases(bench.target_tip(), head)
    if not bases:
        raise UsageError(f"{name} has no common history with the target")
    work = Work(
        target=bench.target,
        branch=name,
        head=head,
        base=bases[0],
        method=method,
        priority=50 if priority is None else priority,
    )
    return submit(bench.store, bench.clock, work)


def require_entry(bench: Workbench, name: str) -> Entry:
    """The newest entry of that id (or its beginning), plan or branch; raises NothingToDoError."""
    entries = bench.store.entries(target=bench.target)
    found = [
        e for e in entries if name in (e.id, e.plan, e.branch) or (len(name) >= 6 and e.id.startswith(name))
    ]
    if not found:
        raise NothingToDoError(f"there is no entry {name!r} in the queue")
    return found[-1]


def drop(bench: Workbench, name: str) -> Entry:
    """Take an entry out of the queue; its branch and worktree stay. One that is landing is left alone."""
    entry = require_entry(bench, name)
    if entry.state in (EntryState.LANDED, EntryState.LANDING, EntryState.DROPPED):
        raise UsageError(f"{name} is {entry.state}")
    if entry.state in (EntryState.MERGING, EntryState.CHECKING):
        entry = settle(bench, entry, EntryState.QUEUED)
    return settle(bench, entry, EntryState.DROPPED, reason={"code": "dropped", "detail": "by a person"})


def pause(bench: Workbench, why: str) -> None:
    """Let nothing land until :func:`resume`."""
    bench.store.set_value(f"queue.{bench.target}.paused", why or "by a person")
    bench.store.emit(EventName.QUEUE_PAUSED, at=bench.clock.now(), why=why)


def resume(bench: Workbench) -> None:
    """Let the queue go on, also after ``target-red``: the target is checked again when it matters."""
    for name in ("paused", "red"):
        bench.store.set_value(f"queue.{bench.target}.{name}", None)
    bench.store.emit(EventName.QUEUE_RESUMED, at=bench.clock.now())


def explain(bench: Workbench, name: str) -> dict[str, Any]:
    """Why an entry is where it is: its record, who works on the queue, and what happened to it so far."""
    entry = require_entry(bench, name)
    lease = bench.store.lease(f"queue:{bench.target}")
    holder = bench.store.session(lease.session) if lease else None
    paused = bench.store.value(f"queue.{bench.target}.paused")
    red = bench.store.value(f"queue.{bench.target}.red")
    return {
        "entry": entry_json(entry, None),
        "paused": paused or (f"target-red at {red[:12]}" if red and red == bench.target_tip() else None),
        "worker": {"session": holder.id, "pid": holder.pid, "kind": holder.kind} if holder else None,
        "history": history(bench, entry),
    }


def history(bench: Workbench, entry: Entry) -> list[dict[str, Any]]:
    """The events of one entry, oldest first."""
    events = bench.store.events_after(0, limit=100_000)
    return [{"ts": e.ts, "event": e.event, **dict(e.data)} for e in events if e.data.get("entry") == entry.id]


def drain(
    bench: Workbench,
    session: SessionHandle,
    *,
    wanted: Sequence[str] | None = None,
    cancel: threading.Event,
    forever: bool = False,
    allow_policy_change: bool = False,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Land what can be landed now; beside another worker, wait until it has dealt with ``wanted``.

    ``wanted`` are entry ids; None means whatever is in the queue. ``forever`` keeps on until cancelled.
    """
    worker = QueueWorker(
        bench,
        session,
        SlotKeeper(bench),
        wake=threading.Event(),
        cancel=cancel,
        on_change=on_change,
        allow_policy_change=allow_policy_change,
    )

    def done(idle: bool) -> bool:  # noqa: FBT001 - the worker's own protocol
        if forever:
            return False
        if wanted is None:
            return idle
        entries = [bench.store.entry(key) for key in wanted]
        return idle or all(e is None or e.state not in OPEN_ENTRIES for e in entries)

    worker.drain(done)
