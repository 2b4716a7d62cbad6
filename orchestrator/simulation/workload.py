"""Changes that come to the queue: when, how long their check takes, and what is truly wrong with them.

The recipe is that of ``docs/queue.md``: Poisson arrivals; log-normal durations with a median of 30 minutes,
clipped; each change fails by itself with ``failure``; meets each earlier one with ``meets`` (the conflict
test says so), and truly breaks together with a share ``breaks`` of those. Whatever is known of changes that
truly came (:mod:`.recorded`) stands in place of what would be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from random import Random
from typing import TYPE_CHECKING, Final

from orchestrator.simulation.repository import touches

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIAN: Final = 1800.0
SPREAD: Final = 0.45
SHORTEST: Final = 300.0
LONGEST: Final = 7200.0


@dataclass(frozen=True, slots=True)
class Change:
    """One change. Times in seconds; ``meets`` names earlier changes, ``breaks`` some of these.

    ``success`` is what the planner is told of it: the probability that it lands. ``paths``: the files that it
    changes, where that is known.
    """

    id: str
    arrives: float
    seconds: float
    sound: bool
    meets: frozenset[str]
    breaks: frozenset[str]
    success: float
    sequence: int = 0
    priority: int = 50
    paths: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a change that truly came; None: to be drawn. ``arrives`` in seconds from the first."""

    arrives: float
    id: str | None = None
    seconds: float | None = None
    sound: bool | None = None
    priority: int | None = None
    meets: frozenset[str] | None = None
    paths: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """``rate`` in changes per hour, inf: all at once; ``told``: how often an estimate is right.

    ``told`` None: nothing is known of a change but the share that fails. ``priorities`` are given out by
    chance, each as often. ``recorded`` changes come in place of ``changes`` at the ``rate``. ``files``: they
    are of a repository with so many (:mod:`.repository`), and meet where they have one in common; 0: nothing
    is known of files.
    """

    changes: int = 500
    rate: float = 500.0
    meets: float = 1.0
    breaks: float = 0.0
    failure: float = 0.1
    told: float | None = None
    even: bool = False
    priorities: tuple[int, ...] = (50,)
    recorded: tuple[Recorded, ...] = ()
    files: int = 0

    @property
    def tells_paths(self) -> bool:
        """Whether the planner can learn from what changes touch."""
        return bool(self.files) or any(came.paths for came in self.recorded)


def draw(recipe: Recipe, seed: int) -> tuple[Change, ...]:
    """The changes of one simulation, in order of arrival; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - a simulation, to be repeated
    found: list[Change] = []
    landed: set[str] = set()
    count = len(recipe.recorded) or recipe.changes
    made = touches(random, recipe.files, count, recipe.failure) if recipe.files else []
    for number, came in enumerate(recipe.recorded or _arrivals(random, recipe)):
        touch = made[number] if made else None
        paths = came.paths or (touch.paths if touch else frozenset())
        meets = came.meets
        if meets is None:
            meets = _meeting(random, found, paths, recipe)
        breaks = _some(random, sorted(meets), recipe.breaks)
        fails = touch.fails if touch else random.random() < recipe.failure
        sound = not fails if came.sound is None else came.sound
        lands = sound and not breaks & landed
        change = Change(
            id=came.id or f"c{number}",
            arrives=came.arrives,
            success=_told(random, recipe, lands=lands),
            seconds=_seconds(random, recipe) if came.seconds is None else came.seconds,
            sound=sound,
            meets=meets,
            breaks=breaks,
            sequence=number,
            priority=_priority(random, recipe) if came.priority is None else came.priority,
            paths=paths,
        )
        found.append(change)
        if lands:
            landed.add(change.id)
    return tuple(found)


def by_age(change: Change) -> tuple[float, ...]:
    """The key of the queue's order: priority, to which each later arrival adds one; then arrival.

    Between two changes this never turns round, so it needs no clock: what counts is their difference.
    """
    return (change.sequence - change.priority, change.sequence)


def _arrivals(random: Random, recipe: Recipe) -> Iterator[Recorded]:
    now = 0.0
    for _ in range(recipe.changes):
        now += 0.0 if recipe.rate == inf else random.expovariate(recipe.rate / 3600)
        yield Recorded(now)


def _priority(random: Random, recipe: Recipe) -> int:
    return recipe.priorities[0] if len(recipe.priorities) == 1 else random.choice(recipe.priorities)


def _meeting(random: Random, earlier: list[Change], paths: frozenset[str], recipe: Recipe) -> frozenset[str]:
    if recipe.tells_paths:
        return frozenset(change.id for change in earlier if paths & change.paths)
    return _some(random, [change.id for change in earlier], recipe.meets)


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
