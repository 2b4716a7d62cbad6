"""Ranked speculation: for each entry the outcomes of the undecided ones that it meets, best first.

After S. Ananthanarayanan et al., "Keeping Master Green at Scale" (EuroSys 2019) and "CI at Scale"
(arXiv 2501.03440): a *path* of an entry assumes an outcome for each of the undecided entries before it that
it meets; a check of the path is needed with the probability that all these outcomes come true. The paths
most likely to be needed get the slots, none below ``threshold``. Only direct ones count: how those came to
their outcomes is their own paths' affair.

1. A check at work keeps its slot. It loses it when it is refuted, when the same stack has passed meanwhile,
   or to one that is needed when it is itself :data:`FORLORN`.
2. The first try of each path, most needed first; the second once the first is red.
3. Where slots are left and one stack may be checked twice at once: second tries that will most likely be
   needed, because the entry will most likely be red. It is out, and those behind it know, in half the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.planning.chances import chances
from orchestrator.planning.decided import decided
from orchestrator.planning.model import Stack, Wanted
from orchestrator.planning.paths import best_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.chances import Chances
    from orchestrator.planning.model import Snapshot

THRESHOLD: Final = 0.15
"""Least probability that a check will be needed for it to be started; without one most are wasted."""
FORLORN: Final = 0.05
"""Below this probability of being needed a check at work gives way to another: a third of the threshold, so
that none is stopped that was started a moment ago."""
AGAIN: Final = 0.5
"""From this probability of being needed on a second try does not wait for the first."""


def plan_ranked(view: Snapshot, threshold: float = THRESHOLD) -> Wanted:
    """What is wanted when each entry is checked on its paths."""
    return decided(view) or Wanted(checks=_checks(view, threshold))


def _checks(view: Snapshot, threshold: float) -> tuple[Stack, ...]:
    """Those at work that keep their slot, then those that are to begin."""
    kept = [stack for stack in view.running if _stands(view, stack)]
    chance = chances(view)
    forlorn = _forlorn(view, kept, chance)
    free = view.slots - len(kept)
    new = _most_needed(view, _tries(view, kept), chance, (threshold, free + len(forlorn)))
    stopped = set(forlorn[: max(0, len(new) - free)])
    return (*(stack for number, stack in enumerate(kept) if number not in stopped), *new)


def _stands(view: Snapshot, stack: Stack) -> bool:
    """Not where it has passed, or who is gone or was lifted before what is tested has refuted it."""
    was, assumed = view.known.get(stack), view.mask_of_waiting(stack.assumed)
    tested = view.mask_of_waiting(stack.tested)
    if assumed is None or tested is None or (was and was.passed):
        return False
    return assumed < (tested & -tested)


def _forlorn(view: Snapshot, at_work: Sequence[Stack], chance: Chances) -> list[int]:
    """The places in ``at_work`` of those that will hardly be needed, the least needed first."""
    found = []
    for number, stack in enumerate(at_work):
        assumed = view.mask(stack.assumed)
        # of a batch it is only known that it needs what it stands on
        meets = view.meets[view.place[stack.tested[0]]] if len(stack.tested) == 1 else assumed
        needed = chance.of(meets, assumed)
        if needed < FORLORN:
            found.append((needed, number))
    return [number for _, number in sorted(found)]


def _tries(view: Snapshot, at_work: Sequence[Stack]) -> dict[tuple[int, int], int]:
    """How often each path (item, assumed bits) was red or is at work; all tries for one that has passed."""
    found: dict[tuple[int, int], int] = {}
    counted = [(stack, view.tries if was.passed else was.failed) for stack, was in view.known.items()]
    for stack, times in (*counted, *((stack, 1) for stack in at_work)):
        assumed = view.mask_of_waiting(stack.assumed)
        if assumed is not None and len(stack.tested) == 1 and stack.tested[0] in view.place:
            path = (view.place[stack.tested[0]], assumed)
            found[path] = found.get(path, 0) + times
    return found


def _most_needed(
    view: Snapshot, tried: dict[tuple[int, int], int], chance: Chances, bounds: tuple[float, int]
) -> list[Stack]:
    """The checks to begin: what ``bounds`` says of the least probability, and how many at most."""
    threshold, most = bounds
    first: list[Stack] = []
    second: list[tuple[float, Stack]] = []
    if most <= 0:
        return first
    for needed, number, assumed in best_first(view, chance, threshold):
        tries = tried.get((number, assumed), 0)
        if tries >= view.tries:
            continue
        stack = Stack(view.ids(assumed), (view.items[number].id,))
        was = view.known.get(stack)
        if tries == (was.failed if was else 0):
            first.append(stack)
            tries += 1
            if len(first) == most:
                break
        again = needed * (1 - chance.lands[number])
        if view.twice and tries < view.tries and again >= AGAIN:
            second.append((again, stack))
    second.sort(key=lambda each: -each[0])
    return [*first, *(stack for _, stack in second[: most - len(first)])]
