"""What happens to changes when every outcome is known: what lands serially, and how soon that could be."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.simulation.workload import Change


def broken(changes: Sequence[Change]) -> dict[str, set[str]]:
    """For each change those that it breaks together with, whichever came first."""
    found: dict[str, set[str]] = {change.id: set() for change in changes}
    for change in changes:
        for other in change.breaks:
            found[change.id].add(other)
            found[other].add(change.id)
    return found


def serial(changes: Sequence[Change]) -> frozenset[str]:
    """Those that land when each is checked alone on what landed before, in the order that is given."""
    breaks = broken(changes)
    landed: set[str] = set()
    for change in changes:
        if change.sound and landed.isdisjoint(breaks[change.id]):
            landed.add(change.id)
    return frozenset(landed)


def turnarounds(changes: Sequence[Change], slots: int) -> dict[str, float]:
    """Seconds from arrival to decision, with one check for each change, begun as soon as a slot is free.

    A change is decided when its check has ended and all earlier ones that it meets are decided: the check is
    the right one at once, as the outcome of those is known to the oracle.
    """
    free = [0.0] * min(slots, len(changes))
    decided: dict[str, float] = {}
    for change in changes:
        begins = max(change.arrives, heapq.heappop(free))
        ends = begins + change.seconds
        heapq.heappush(free, ends)
        decided[change.id] = max([ends, *(decided[name] for name in change.meets)])
    return {change.id: decided[change.id] - change.arrives for change in changes}
