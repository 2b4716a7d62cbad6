"""How right estimates were: what was told against what came, and against telling the base rate each time.

The score is G. W. Brier's: the mean square of what was told minus what came (1 or 0); less is better.
"Verification of forecasts expressed in terms of probability" (Monthly Weather Review 78, 1950).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

BOUNDS: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 1.0)
"""Of the buckets: finer where most entries are."""


class Told(NamedTuple):
    """A probability that was told, the base rate of that time, and what came."""

    told: float
    usual: float
    landed: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """Those told ``low`` up to ``high``: how many, what was told of them at the mean, how many landed."""

    low: float
    high: float
    count: int
    told: float
    landed: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """``brier`` of the estimates and ``usual`` of the base rates, over so many outcomes; 0 without any."""

    outcomes: int = 0
    brier: float = 0.0
    usual: float = 0.0
    buckets: tuple[Bucket, ...] = ()

    @property
    def is_better(self) -> bool:
        """Whether the estimates were no worse than the base rate."""
        return self.brier <= self.usual


def calibrated(outcomes: Iterable[Told]) -> Calibration:
    """What these come to; buckets with nothing in them are left out."""
    found = list(outcomes)
    if not found:
        return Calibration()
    return Calibration(
        len(found),
        sum((one.told - one.landed) ** 2 for one in found) / len(found),
        sum((one.usual - one.landed) ** 2 for one in found) / len(found),
        tuple(
            Bucket(low, high, len(some), sum(o.told for o in some) / len(some), sum(o.landed for o in some))
            for low, high in pairwise(BOUNDS)
            if (some := [one for one in found if low <= one.told < high])
        ),
    )
