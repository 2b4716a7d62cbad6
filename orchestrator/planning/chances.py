"""How likely each entry is to land, from what is known; and how likely a path is to be the one that comes.

Chances are told in steps, an eighth in log odds: finer than any estimate is. So there are few of them, and
the probability of a path is a product over the steps that occur among its entries, each to the power of how
many there are, whatever their number: a thousand entries that all meet cost no more than ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.model import Known, Rates, Snapshot

SURE: Final = 0.999
"""Nothing that is not decided is certain: a flip of it has a finite cost."""
STEP: Final = 8
"""Steps in one unit of log odds."""
ELSEWHERE: Final = 2.0
"""What a check on another path says, in log odds: what fails mostly fails anywhere, but not always."""
_MOST: Final = round(STEP * log(SURE / (1 - SURE)))
_OF_STEP: Final = tuple(1 / (1 + exp(-step / STEP)) for step in range(-_MOST, _MOST + 1))


@dataclass(frozen=True, slots=True)
class Level:
    """The entries (as bits) that land with the same chance; ``flip``: how much surer that is, in log odds."""

    flip: float
    lands: float
    items: int


class Chances:
    """The chance of each of some entries, in queue order, and products of them."""

    def __init__(self) -> None:
        self.lands: list[float] = []
        self._levels: dict[float, int] = {}

    def add(self, probability: float) -> None:
        """The next entry."""
        chance = in_steps(probability)
        self._levels[chance] = self._levels.get(chance, 0) | 1 << len(self.lands)
        self.lands.append(chance)

    def levels(self) -> list[Level]:
        """Each chance that occurs, the least sure first."""
        found = [Level(abs(log(c / (1 - c))), c, items) for c, items in self._levels.items()]
        return sorted(found, key=lambda level: (level.flip, level.lands))

    def of(self, meets: int, assumed: int) -> float:
        """The probability that of ``meets`` exactly those that are in ``assumed`` land."""
        found = 1.0
        for chance, level in self._levels.items():
            there = meets & level
            if there:
                landing = (there & assumed).bit_count()
                found *= chance**landing * (1 - chance) ** (there.bit_count() - landing)
        return found


def in_steps(probability: float) -> float:
    """The nearest step."""
    if probability >= SURE:
        return _OF_STEP[-1]
    if probability <= 1 - SURE:
        return _OF_STEP[0]
    return _OF_STEP[_MOST + round(STEP * log(probability / (1 - probability)))]


def chances(view: Snapshot) -> Chances:
    """For each item the probability that it lands.

    The paths whose check is known count by the probability that they are the one that comes; the rest counts
    by the item's own estimate, lower after a red check on any path and higher after a green one.
    """
    evidence: dict[int, list[tuple[int, Known]]] = {}
    place = view.place
    for stack, was in view.known.items():
        if len(stack.tested) == 1 and stack.tested[0] in place:
            assumed = view.mask_of_waiting(stack.assumed)
            if assumed is not None:
                evidence.setdefault(place[stack.tested[0]], []).append((assumed, was))
    found = Chances()
    for number, item in enumerate(view.items):
        there = evidence.get(number)
        found.add(item.success if there is None else _chance(view, number, there, found))
    return found


def _chance(view: Snapshot, number: int, evidence: Sequence[tuple[int, Known]], chance: Chances) -> float:
    prior, meets = view.items[number].success, view.meets[number]
    needs = view.needs[number] if view.needs else 0
    weight = lands = 0.0
    after_red = after_green = False
    for assumed, was in evidence:
        probable = 0.0 if needs & ~assumed else chance.of(meets, assumed)
        weight += probable
        lands += probable * outcome(was, view.rates, view.tries)
        after_red = after_red or (was.failed > 0 and not was.passed)
        after_green = after_green or was.passed > 0
    if after_red and not after_green:
        prior = _shifted(prior, -ELSEWHERE)
    elif after_green and not after_red:
        prior = _shifted(prior, ELSEWHERE)
    return lands + max(0.0, 1 - weight) * prior


def _shifted(probability: float, shift: float) -> float:
    return 1 / (1 + exp(-shift - log_odds(probability)))


def log_odds(probability: float) -> float:
    """Of a probability that is not surer than :data:`SURE`, else of that."""
    within = min(SURE, max(1 - SURE, probability))
    return log(within / (1 - within))


def outcome(was: Known, rates: Rates, tries: int) -> float:
    """The probability that an entry lands on a path with such checks: one green counts, or ``tries`` red."""
    if was.passed:
        return SURE
    if was.failed >= tries:
        return 1 - SURE
    return rates.flake / (rates.flake + rates.failure) if rates.flake else 1 - SURE
