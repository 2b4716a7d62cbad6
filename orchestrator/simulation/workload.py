"""Changes that come to the queue: when, how long their check takes, and what is truly wrong with them.

The recipe is that of ``docs/queue.md``: Poisson arrivals; log-normal durations with a median of 30 minutes,
clipped; each change fails by itself with ``failure``; meets each earlier one with ``meets`` (the conflict
test says so), and truly breaks together with a share ``breaks`` of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from random import Random
from typing import Final

MEDIAN: Final = 1800.0
SPREAD: Final = 0.45
SHORTEST: Final = 300.0
LONGEST: Final = 7200.0


@dataclass(frozen=True, slots=True)
class Change:
    """One change. Times in seconds; ``meets`` names earlier changes, ``breaks`` some of these.

    ``success`` is what the planner is told of it: the probability that it lands.
    """

    id: str
    arrives: float
    seconds: float
    sound: bool
    meets: frozenset[str]
    breaks: frozenset[str]
    success: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """``rate`` in changes per hour, inf: all at once; ``told``: how often an estimate is right.

    ``told`` None: nothing is known of a change but the share that fails.
    """

    changes: int = 500
    rate: float = 500.0
    meets: float = 1.0
    breaks: float = 0.0
    failure: float = 0.1
    told: float | None = None
    even: bool = False


def draw(recipe: Recipe, seed: int) -> tuple[Change, ...]:
    """The changes of one simulation, in order of arrival; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - a simulation, to be repeated
    found: list[Change] = []
    landed: set[str] = set()
    now = 0.0
    for number in range(recipe.changes):
        now += 0.0 if recipe.rate == inf else random.expovariate(recipe.rate / 3600)
        meets = _some(random, [c.id for c in found], recipe.meets)
        breaks = _some(random, sorted(meets), recipe.breaks)
        sound = random.random() >= recipe.failure
        lands = sound and not breaks & landed
        told = _told(random, recipe, lands=lands)
        change = Change(f"c{number}", now, _seconds(random, recipe), sound, meets, breaks, told)
        found.append(change)
        if lands:
            landed.add(change.id)
    return tuple(found)


def _some(random: Random, names: list[str], share: float) -> frozenset[str]:
    if share >= 1:
        return frozenset(names)
    return frozenset(name for name in names if share and random.random() < share)


def _seconds(random: Random, recipe: Recipe) -> float:
    if recipe.even:
        return MEDIAN
    return min(LONGEST, max(SHORTEST, random.lognormvariate(log(MEDIAN), SPREAD)))


def _told(random: Random, recipe: Recipe, *, lands: bool) -> float:
    if recipe.told is None:
        return 1 - recipe.failure
    right = random.random() < recipe.told
    return recipe.told if right == lands else 1 - recipe.told
