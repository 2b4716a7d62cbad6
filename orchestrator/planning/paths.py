"""The paths of all entries, by the probability that their check will be needed, enumerated lazily.

The paths of one entry come best first, by the flips of the most likely path, cheapest first, each set of
flips followed by its two successors (extend, swap): k paths of all entries cost k log k. Paths are bit sets.
Nothing is worked out for an entry whose likeliest path is below the threshold, nor for a flip that alone
takes a path there.
"""

from __future__ import annotations

import heapq
from math import exp, inf, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.planning.chances import Chances, Level
    from orchestrator.planning.model import Snapshot


def best_first(view: Snapshot, chance: Chances, threshold: float) -> Iterator[tuple[float, int, int]]:
    """The paths of all: the probability that it is needed, the item's number, the bits that it assumes.

    Most needed first, ties by queue order.
    """
    levels = chance.levels()
    heap = list(_heads(view, levels, threshold))
    heapq.heapify(heap)
    more: dict[int, Iterator[tuple[float, int, int]]] = {}
    while heap:
        minus, number, assumed = head = heap[0]
        yield -minus, number, assumed
        if number not in more:
            more[number] = _others(view, head, levels, threshold)
        following = next(more[number], None)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, following)


def _heads(view: Snapshot, levels: Sequence[Level], threshold: float) -> Iterator[tuple[float, int, int]]:
    """The likeliest path of each item that is not below the threshold, as an entry of the heap."""
    likely = sum(level.items for level in levels if level.lands > 1 - level.lands)
    every = view.needs or (0,) * len(view.items)
    each = [(level.lands, max(level.lands, 1 - level.lands), level.items) for level in levels]
    for number, (meets, needs) in enumerate(zip(view.meets, every, strict=True)):
        needed = 1.0
        for lands, surest, items in each:
            there = meets & items
            if there:
                needed *= surest ** (there & ~needs).bit_count() * lands ** (there & needs).bit_count()
                if needed < threshold:
                    break
        else:
            yield -needed, number, meets & likely | meets & needs


def _others(
    view: Snapshot, head: tuple[float, int, int], levels: Sequence[Level], threshold: float
) -> Iterator[tuple[float, int, int]]:
    """The other paths of an item than its likeliest, best first, down to the threshold.

    A flip's cost is the log of how much likelier the outcome is than the other; those of what the item needs
    cannot be flipped.
    """
    minus, number, best = head
    most = log(-minus / threshold) if threshold else inf
    free = view.meets[number] & ~(view.needs[number] if view.needs else 0)
    flips: list[tuple[float, int]] = []
    for level in levels:
        if level.flip > most:
            break
        there = free & level.items
        while there:
            lowest = there & -there
            flips.append((level.flip, lowest))
            there ^= lowest
    for cost, flipped in cheapest_sets(flips):
        if cost > most:
            return
        yield minus * exp(-cost), number, best ^ flipped


def cheapest_sets(flips: Sequence[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    """Every non-empty set of flips as (sum of costs, bits), cheapest first; ``flips`` are sorted by cost."""
    if not flips:
        return
    heap = [(flips[0][0], 0, flips[0][1])]
    while heap:
        cost, last, bits = heapq.heappop(heap)
        yield cost, bits
        if last + 1 < len(flips):
            more, bit = flips[last + 1]
            heapq.heappush(heap, (cost + more, last + 1, bits | bit))
            heapq.heappush(heap, (cost + more - flips[last][0], last + 1, (bits ^ flips[last][1]) | bit))
