"""The order of the queue: priority, raised with age, then arrival. Pure, and without a clock.

Each entry that arrives later adds one point to those before it, so an entry of priority 50 is passed by
at most 50 later ones of priority 100: aging bounds every wait (invariant S10). A head that takes the place
of an earlier one, because a conflict was resolved, has the age of that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.store.records import Entry


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Sort by priority with aging, best first; equal ones by arrival."""
    found = tuple(entries)
    newest = max((e.age for e in found), default=0)
    return tuple(sorted(found, key=lambda e: (-rank(e, newest), e.age, e.sequence)))


def rank(entry: Entry, newest: int) -> float:
    """The priority of ``entry`` with its age counted in later arrivals."""
    return entry.priority + (newest - entry.age)
