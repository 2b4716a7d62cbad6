"""Ranked speculation: for each entry the outcomes of the undecided ones that it meets, best first.

After S. Ananthanarayanan et al., "Keeping Master Green at Scale" (EuroSys 2019) and "CI at Scale"
(arXiv 2501.03440): a *path* of an entry assumes an outcome for each of the undecided entries before it that
it meets; a check of the path is needed with the probability that all these outcomes come true. The paths
most likely to be needed get the slots, none below ``threshold``. Only direct ones count: how those came to
their outcomes is their own paths' affair.

The paths of one entry are enumerated lazily, best first, by the flips of the most likely path, cheapest
first, each set of flips followed by its two successors (extend, swap): k paths of all entries cost k log k.
Paths are bit sets until one is to be checked, and nothing is worked out for an entry whose likeliest path is
below the threshold, nor for a flip that alone takes a path there.
"""

from __future__ import annotations

import heapq
from math import exp, inf, log
from typing import TYPE_CHECKING, Final

from orchestrator.planning.chances import chances
from orchestrator.planning.decided import TRIES, decided
from orchestrator.planning.model import Stack, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.planning.chances import Chances, Level
    from orchestrator.planning.model import Snapshot

THRESHOLD: Final = 0.15
"""Least probability that a check will be needed for it to be started; without one most are wasted."""


def plan_ranked(view: Snapshot, threshold: float = THRESHOLD) -> Wanted:
    """What is wanted when each entry is checked on its paths."""
    return decided(view) or Wanted(checks=_checks(view, threshold))


def _checks(view: Snapshot, threshold: float) -> tuple[Stack, ...]:
    """The paths that are to be checked, most needed first; running ones keep their slot unless refuted."""
    kept = [stack for stack in view.running if view.mask_of_waiting(stack.members) is not None]
    free = view.slots - len(kept)
    if free <= 0:
        return tuple(kept)
    closed = _closed(view, kept)
    found: list[Stack] = []
    for _, number, assumed in best_first(view, chances(view), threshold):
        if assumed not in closed.get(number, ()):
            found.append(Stack(view.ids(assumed), (view.items[number].id,)))
            if len(found) == free:
                break
    return (*kept, *found)


def _closed(view: Snapshot, at_work: Sequence[Stack]) -> dict[int, set[int]]:
    """For each item the paths that need no check: one is at work, or has said what it can."""
    said = [stack for stack, was in view.known.items() if was.passed or was.failed >= TRIES]
    found: dict[int, set[int]] = {}
    for stack in (*at_work, *said):
        assumed = view.mask_of_waiting(stack.assumed)
        if assumed is not None and len(stack.tested) == 1 and stack.tested[0] in view.place:
            found.setdefault(view.place[stack.tested[0]], set()).add(assumed)
    return found


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
