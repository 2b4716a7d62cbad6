"""Made-up changes of the files of a made-up repository, whose outcome depends on what they touch.

A few files are changed often, most seldom (G. K. Zipf), and one in twenty is brittle: whoever touches one
fails more often. So does who changes many files. How often fits the share that fails in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log2
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

_BRITTLE: Final = 0.05
_BY_BRITTLE: Final = 2.5
"""What a brittle file adds to the log odds of failing."""
_BY_DOUBLING: Final = 0.5
"""What twice as many files add."""
_SIZE: Final = (1.0, 1.0)
"""Files of a change are log-normal: e at the median."""
_LARGEST: Final = 60
_STEEP: Final = 0.8


@dataclass(frozen=True, slots=True)
class Touch:
    """What a change touches, and whether it fails by itself."""

    paths: frozenset[str]
    fails: bool


def touches(random: Random, files: int, changes: int, failure: float) -> list[Touch]:
    """That many changes of a repository with that many files, ``failure`` of which fail."""
    names = [f"src/{number}" for number in range(files)]
    often = [(number + 1) ** -_STEEP for number in range(files)]
    brittle = {name for name in names if random.random() < _BRITTLE}
    found = []
    for _ in range(changes):
        size = max(1, min(_LARGEST, round(random.lognormvariate(*_SIZE))))
        paths = frozenset(random.choices(names, often, k=size))
        found.append((paths, _BY_DOUBLING * log2(len(paths)) + _BY_BRITTLE * bool(paths & brittle)))
    usual = _usual([odds for _, odds in found], failure)
    return [Touch(paths, random.random() < _probability(usual + odds)) for paths, odds in found]


def _usual(odds: list[float], failure: float) -> float:
    """What has to be added to all log odds for the mean probability to be ``failure``, by halving."""
    low, high = -50.0, 50.0
    while high - low > 1e-6:  # noqa: PLR2004 - near enough
        middle = (low + high) / 2
        if sum(_probability(middle + each) for each in odds) > failure * len(odds):
            high = middle
        else:
            low = middle
    return low


def _probability(odds: float) -> float:
    return 1 / (1 + exp(-odds))
