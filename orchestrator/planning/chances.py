"""How likely each entry is to land, from what is known; and how likely a path is to be the one that comes."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.model import Known, Rates, Snapshot

SURE: Final = 0.999
"""Nothing that is not decided is certain: a flip of it has a finite cost."""


def chances(view: Snapshot) -> list[float]:
    """For each item the probability that it lands.

    The paths whose check is known count by the probability that they are the one that comes; the rest counts
    by the item's own estimate, lowered by a red check on any path: most of what fails, fails anywhere.
    """
    evidence: list[list[tuple[int, Known]]] = [[] for _ in view.items]
    for stack, was in view.known.items():
        if len(stack.tested) == 1 and all(name in view.place for name in stack.members):
            evidence[view.place[stack.tested[0]]].append((view.mask(stack.assumed), was))
    found: list[float] = []
    for number, item in enumerate(view.items):
        found.append(_chance(view, number, item.success, evidence[number], found))
    return found


def _chance(
    view: Snapshot, number: int, prior: float, evidence: list[tuple[int, Known]], chance: Sequence[float]
) -> float:
    if not evidence:
        return _within(prior)
    needs = view.needs[number] if view.needs else 0
    weight = lands = 0.0
    after_red = after_green = False
    for assumed, was in evidence:
        probable = _probability(view.meets[number], assumed, needs, chance)
        weight += probable
        lands += probable * outcome(was, view.rates)
        after_red = after_red or (was.failed > 0 and not was.passed)
        after_green = after_green or was.passed > 0
    rest = prior
    if after_red and not after_green:
        rest = prior * 0.2
    elif after_green and not after_red:
        rest = prior + (1 - prior) * 0.8
    return _within(lands + max(0.0, 1 - weight) * rest)


def outcome(was: Known, rates: Rates) -> float:
    """The probability that an entry lands on a path with such checks: a green one counts, a red one twice."""
    if was.passed:
        return SURE
    if was.failed > 1:
        return 1 - SURE
    return rates.flake / (rates.flake + rates.failure) if rates.flake else 1 - SURE


def _probability(meets: int, assumed: int, needs: int, chance: Sequence[float]) -> float:
    if needs & ~assumed:
        return 0.0
    found, rest = 1.0, meets
    while rest:
        lowest = rest & -rest
        place = lowest.bit_length() - 1
        found *= chance[place] if lowest & assumed else 1 - chance[place]
        rest ^= lowest
    return found


def first_looks(
    view: Snapshot, number: int, chance: Sequence[float]
) -> tuple[int, float, list[tuple[float, int]]]:
    """The likeliest path of an item: the bits it assumes to land, its probability, and what flips cost.

    A flip's cost is the log of how much likelier the outcome is than the other; those of what the item needs
    cannot be flipped.
    """
    needs = view.needs[number] if view.needs else 0
    best, needed, flips = 0, 1.0, []
    rest = view.meets[number]
    while rest:
        lowest = rest & -rest
        rest ^= lowest
        lands = chance[lowest.bit_length() - 1]
        likely = max(lands, 1 - lands)
        if lowest & needs:
            best |= lowest
            needed *= lands
            continue
        if lands > 1 - lands:
            best |= lowest
        needed *= likely
        flips.append((log(likely / (1 - likely)), lowest))
    flips.sort()
    return best, needed, flips


def _within(chance: float) -> float:
    return min(SURE, max(1 - SURE, chance))
