"""Hand a branch head to the merge queue, once: the entry's id is the landing key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import UsageError
from orchestrator.events import EventName, entry_event
from orchestrator.states import MOVING_ENTRIES, AttemptState, EntryState
from orchestrator.store.records import Attempt, Entry
from orchestrator.submitting.heads import head_kept
from orchestrator.submitting.key import landing_key
from orchestrator.submitting.landed import is_on_target
from worktrees.mirror import remote_of, shown_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench

AGAIN: Final = frozenset({EntryState.CONFLICTED, EntryState.REJECTED, EntryState.DROPPED, EntryState.BLOCKED})
"""Came to nothing; the same head handed in anew is tried anew."""


@dataclass(frozen=True, slots=True)
class Work:
    """A finished head and how it is to be landed; ``base`` is where its own work begins."""

    target: str
    branch: str
    head: str
    base: str
    plan: str | None = None
    explicit_base: bool = False
    after: tuple[str, ...] = ()
    check: str | None = None
    method: str | None = None
    reads: tuple[str, ...] = ()
    priority: float = 50
    arrival: int = 0
    queued_at: str | None = None


def key_of(work: Work) -> str:
    """The id that the entry of ``work`` has."""
    return landing_key(work.target, work.plan or work.branch, work.head)


def submit(
    bench: Workbench, work: Work, attempt: Attempt | None = None, *, reason: Mapping[str, Any] | None = None
) -> Entry:
    """Queue ``work`` and return its entry; the same head again is the same entry.

    An entry that came to nothing (conflicted, rejected, dropped, blocked) is queued anew at its old age;
    one that has landed is returned as it is, unless somebody has taken it off the target since. With
    ``attempt`` its state follows in the same transaction, and the entry is from now on that attempt's.
    ``work.arrival`` is the age of an entry whose place this one takes, ``reason`` is stored while it waits.
    """
    store, clock = bench.store, bench.clock
    with head_kept(bench, key_of(work), work.head), store.transaction():
        added = store.add_entry(_entry(work, clock.now(), attempt, reason or {}))
        entry = _for_target(bench, added, work.target)
        is_new = entry.version == 0
        owner: dict[str, Any] = {"attempt": attempt.id, "run": attempt.run} if attempt else {}
        undone = entry.state is EntryState.LANDED and not is_on_target(bench, entry)
        if entry.state in AGAIN or undone:
            entry = store.move_entry(entry, EntryState.QUEUED, reason=reason or {}, finished_at=None, **owner)
            is_new = True
        elif attempt is not None and entry.attempt != attempt.id:
            entry = store.update_entry(entry, **owner)
        if attempt is not None:
            _follow(store, clock.now(), attempt, entry, work.head)
        if is_new:
            name = entry_event(entry.state)
            store.emit(
                name, at=clock.now(), run=entry.run, plan=entry.plan, entry=entry.id, branch=entry.branch
            )
    return entry


def _for_target(bench: Workbench, entry: Entry, target: str) -> Entry:
    """The entry with this target: one head has one key, on the branch here and on a remote's of that name.

    Raises UsageError while it is on its way to the other. One that waits for a remote of a name that there is
    no more, since somebody renamed it, is on its way to nowhere.
    """
    store, remote = bench.store, remote_of(entry.target)
    if entry.target == target:
        return entry
    waits = entry.state is EntryState.QUEUED
    lost = waits and remote is not None and remote not in bench.git.settings.named("remote", "url")
    if entry.state in MOVING_ENTRIES and not lost:
        raise UsageError(f"{entry.plan or entry.branch} is on its way to {shown_target(entry.target)}")
    return store.update_entry(entry, target=target)


def _follow(store: Store, now: str, attempt: Attempt, entry: Entry, head: str) -> None:
    changes: dict[str, Any] = {"entry": entry.id, "head": head, "reason": {}}
    if attempt.state is AttemptState.QUEUED:
        attempt = store.update_attempt(attempt, **changes)
    else:
        attempt = store.move_attempt(attempt, AttemptState.QUEUED, **changes)
    if entry.state is EntryState.LANDED:
        store.move_attempt(attempt, AttemptState.LANDED, landed_commit=entry.landed_commit)
        # nothing will happen to an entry that has landed, so who watches the run hears it from here
        store.emit(
            EventName.PLAN_LANDED,
            at=now,
            run=attempt.run,
            plan=attempt.plan,
            commit=entry.landed_commit,
            unchanged=True,
        )


def requeue(bench: Workbench, attempt: Attempt, old: Entry) -> Entry:
    """Queue a conflicted or rejected attempt anew, at its old age, by its entry as it is now.

    Raises StaleRecordError when it is not.
    """
    store, clock = bench.store, bench.clock
    with head_kept(bench, old.id, old.head), store.transaction():
        entry = store.entry(old.id)
        assert entry is not None, "entries stay"
        if entry.state in AGAIN:
            entry = store.move_entry(entry, EntryState.QUEUED, reason={}, finished_at=None)
        store.move_attempt(attempt, AttemptState.QUEUED, reason={})
        store.emit(
            entry_event(EntryState.QUEUED),
            at=clock.now(),
            run=entry.run,
            plan=entry.plan,
            entry=entry.id,
            branch=entry.branch,
        )
    return entry


def _entry(work: Work, now: str, attempt: Attempt | None, reason: Mapping[str, Any]) -> Entry:
    return Entry(
        id=key_of(work),
        plan=work.plan,
        branch=work.branch,
        target=work.target,
        head=work.head,
        base=work.base,
        queued_at=work.queued_at or now,
        sequence=0,
        arrival=work.arrival,
        reason=reason,
        priority=work.priority,
        explicit_base=work.explicit_base,
        after=work.after,
        check=work.check,
        method=work.method,
        reads=work.reads,
        run=attempt.run if attempt else None,
        attempt=attempt.id if attempt else None,
    )
