"""Entries of the queue in its order, under the names of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging.order import in_order
from orchestrator.states import OPEN_ENTRIES, EntryState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.store.records import Entry

_SHOWN: Final = frozenset({EntryState.CONFLICTED, EntryState.REJECTED, EntryState.RESOLVING})


def queue_entries(entries: Sequence[Entry], *, every: bool = False) -> list[dict[str, Any]]:
    """Entries still open, or with a resolver or a person (``every``: all), in the order of the queue.

    What came to nothing waits for nobody once newer work of its plan or branch was handed in.
    """
    ordered = in_order(e for e in entries if e.state in OPEN_ENTRIES)
    places = {entry.id: number for number, entry in enumerate(ordered, 1)}
    newest = {
        name: e.sequence for e in _by_age(entries) if e.state is not EntryState.DROPPED for name in _names(e)
    }

    def waits(entry: Entry) -> bool:
        return entry.state in _SHOWN and all(newest[name] <= entry.sequence for name in _names(entry))

    shown = [*ordered, *(e for e in entries if e.id not in places and (every or waits(e)))]
    return [entry_json(entry, places.get(entry.id)) for entry in shown]


def _by_age(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda e: e.sequence)


def _names(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """What an entry is of, on its target."""
    yield entry.target, "branch", entry.branch
    if entry.plan:
        yield entry.target, "plan", entry.plan


def entry_json(entry: Entry, position: int | None) -> dict[str, Any]:
    """One entry under the names of the contract."""
    return {
        "id": entry.id,
        "plan": entry.plan,
        "branch": entry.branch,
        "state": str(entry.state),
        "position": position,
        "priority": entry.priority,
        "head": entry.head,
        "base": entry.base,
        "candidate": entry.candidate,
        "tree": entry.tree,
        "landed_commit": entry.landed_commit,
        "unchecked": entry.unchecked,
        "reason": dict(entry.reason),
        "attempts": entry.attempts,
    }
