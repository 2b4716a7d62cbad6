"""Ranked speculation: for each entry the outcomes of the undecided ones that it meets, best first.

After S. Ananthanarayanan et al., "Keeping Master Green at Scale" (EuroSys 2019) and "CI at Scale"
(arXiv 2501.03440): a *path* of an entry assumes an outcome for each of the undecided entries before it that
it meets; a check of the path is needed with the probability that all these outcomes come true. The paths
most likely to be needed get the slots, none below ``threshold``. Only direct ones count: how those came to
their outcomes is their own paths' affair.

The paths of one entry are enumerated lazily, best first, by the flips of the most likely path, cheapest
first, each set of flips followed by its two successors (extend, swap): k paths of all entries cost k log k.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Final

from orchestrator.planning.chances import chances, first_looks
from orchestrator.planning.decided import TRIES, decided
from orchestrator.planning.model import Stack, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.planning.model import Snapshot

THRESHOLD: Final = 0.15
"""Least probability that a check will be needed for it to be started; without one most are wasted."""


def plan_ranked(view: Snapshot, threshold: float = THRESHOLD) -> Wanted:
    """What is wanted when each entry is checked on its paths."""
    return decided(view) or Wanted(checks=_checks(view, threshold))


def _checks(view: Snapshot, threshold: float) -> tuple[Stack, ...]:
    """The paths that are to be checked, most needed first; running ones keep their slot unless refuted."""
    chance = chances(view)
    kept = [stack for stack in view.running if _stands(view, stack)]
    at_work = set(kept)
    found: list[Stack] = []
    for path in _best_first([_Paths(view, number, chance) for number in range(len(view.items))], threshold):
        if len(kept) + len(found) >= view.slots:
            break
        if path not in at_work and _is_open(view, path):
            found.append(path)
    return (*kept, *found)


def _stands(view: Snapshot, stack: Stack) -> bool:
    return all(name in view.place for name in stack.members)


def _is_open(view: Snapshot, path: Stack) -> bool:
    was = view.known.get(path)
    return was is None or (not was.passed and was.failed < TRIES)


def _best_first(heads: Sequence[_Paths], threshold: float) -> Iterator[Stack]:
    """The paths of all, by the probability that they are needed; ties by queue order."""
    streams = [iter(head) for head in heads]
    heap: list[tuple[float, int, Stack]] = []
    for number, stream in enumerate(streams):
        _push(heap, number, stream, threshold)
    while heap:
        _, number, path = heapq.heappop(heap)
        yield path
        _push(heap, number, streams[number], threshold)


def _push(
    heap: list[tuple[float, int, Stack]], number: int, stream: Iterator[_Path], threshold: float
) -> None:
    path = next(stream, None)
    if path is not None and path.needed >= threshold:
        heapq.heappush(heap, (-path.needed, number, path.stack))


@dataclass(frozen=True, slots=True)
class _Path:
    needed: float
    stack: Stack


class _Paths:
    """The paths of one entry, best first."""

    def __init__(self, view: Snapshot, number: int, chance: Sequence[float]) -> None:
        self._view = view
        self._number = number
        self._chance = chance

    def __iter__(self) -> Iterator[_Path]:
        view, item = self._view, self._view.items[self._number]
        best, needed, flips = first_looks(view, self._number, self._chance)
        yield _Path(needed, Stack(view.ids(best), (item.id,)))
        for cost, flipped in cheapest_sets(flips):
            yield _Path(needed * exp(-cost), Stack(view.ids(best ^ flipped), (item.id,)))


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
