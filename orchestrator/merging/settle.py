"""Move an entry and the attempt that it came from, with the event, in one transaction; then its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import EventName, entry_event
from orchestrator.states import ATTEMPT, AttemptState, EntryState
from orchestrator.submitting.published import publish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

_FOLLOWS: Final = {
    EntryState.LANDED: AttemptState.LANDED,
    EntryState.CONFLICTED: AttemptState.CONFLICTED,
    EntryState.REJECTED: AttemptState.REJECTED,
    EntryState.DROPPED: AttemptState.CANCELLED,
}
_ENDED: Final = frozenset({*_FOLLOWS, EntryState.HELD})


def settle(
    bench: Workbench, entry: Entry, to: EntryState, *, shown: Mapping[str, Any] | None = None, **changes: Any
) -> Entry:
    """Move ``entry`` to ``to``; its attempt follows. Raises StaleRecordError when another was faster.

    ``shown`` goes into the event and nowhere else.
    """
    store, now = bench.store, bench.clock.now()
    changes.setdefault("finished_at", now if to in _ENDED else None)
    with store.transaction():
        moved = store.move_entry(entry, to, **changes)
        _move_attempt(bench, moved)
        detail = {key: moved.reason[key] for key in ("code", "detail", "paths", "log") if key in moved.reason}
        store.emit(
            entry_event(to),
            at=now,
            run=moved.run,
            plan=moved.plan,
            entry=moved.id,
            branch=moved.branch,
            landed_commit=moved.landed_commit,
            unchecked=moved.unchecked,
            **detail,
            **(shown or {}),
        )
    store.after_commit(lambda: _publish(bench, moved))
    return moved


def _publish(bench: Workbench, entry: Entry) -> None:
    attempt = bench.store.attempt(entry.attempt) if entry.attempt else None
    if attempt is not None:
        publish(bench, attempt)


def _move_attempt(bench: Workbench, entry: Entry) -> None:
    store = bench.store
    target = _FOLLOWS.get(entry.state)
    attempt = store.attempt(entry.attempt) if entry.attempt else None
    if target is None or attempt is None or target not in ATTEMPT[attempt.state]:
        return
    store.move_attempt(
        attempt,
        target,
        landed_commit=entry.landed_commit,
        reason=entry.reason,
        finished_at=attempt.finished_at,
    )
    if target is AttemptState.LANDED:
        store.emit(
            EventName.PLAN_LANDED,
            at=bench.clock.now(),
            run=entry.run,
            plan=entry.plan,
            commit=entry.landed_commit,
        )
