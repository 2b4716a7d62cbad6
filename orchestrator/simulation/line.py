"""The changes that wait, in the order of the queue, and which earlier ones each meets, as bit sets.

Kept up to date by shifting bits: a simulation asks for it thousands of times.
"""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

from orchestrator.planning.model import Item

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.simulation.workload import Change

    Key = Callable[[Change], tuple[float, ...]]


class Line:
    """Changes sorted by ``key``, which never changes for one; added in the order of their arrival."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._keys: list[tuple[float, ...]] = []
        self._changes: list[Change] = []
        self._items: list[Item] = []
        self._meets: list[int] = []

    def __len__(self) -> int:
        return len(self._changes)

    @property
    def items(self) -> tuple[Item, ...]:
        """As the planner's snapshot has them."""
        return tuple(self._items)

    @property
    def meets(self) -> tuple[int, ...]:
        """For each of ``items`` the bits of those before it that it meets."""
        return tuple(self._meets)

    def add(self, change: Change) -> None:
        """Put in one that arrives after all that are there; its ``meets`` names those that it meets."""
        key = self._key(change)
        place = bisect(self._keys, key)
        low = (1 << place) - 1
        before = 0
        for number, other in enumerate(self._changes):
            met = other.id in change.meets
            if number < place:
                before |= met << number
            else:
                mask = self._meets[number]
                self._meets[number] = mask & low | mask >> place << place + 1 | met << place
        self._keys.insert(place, key)
        self._changes.insert(place, change)
        self._items.insert(place, Item(change.id, change.success))
        self._meets.insert(place, before)

    def take(self, name: str) -> Change:
        """Take one out."""
        place = next(n for n, change in enumerate(self._changes) if change.id == name)
        low = (1 << place) - 1
        for number in range(place + 1, len(self._meets)):
            mask = self._meets[number]
            self._meets[number] = mask & low | mask >> place + 1 << place
        del self._keys[place], self._items[place], self._meets[place]
        return self._changes.pop(place)
