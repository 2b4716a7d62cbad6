"""How long to wait for what another holds: 300 ms · 2ⁿ ± 30 %, six times (19 s in all), then no more.

The growth keeps many waiters from asking all the time, the jitter from asking all at once. Who has said how
long he would wait asks as often as it takes, and at least every ``most`` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from orchestrator.clock import jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Retry:
    """A wait that is about to begin; ``str()`` is what is shown of it. ``number`` counts from 1.

    ``attempts`` is 0 where there is no end of them. ``position`` is the place in the line (1: next), 0 where
    it is not known; ``expected`` the seconds until it is had, by history, or None.
    """

    number: int
    attempts: int
    seconds: float
    holder: str
    position: int = 0
    expected: float | None = None

    def __str__(self) -> str:
        of = f"/{self.attempts}" if self.attempts else ""
        line = f", number {self.position} in the line" if self.position else ""
        about = f", about {self.expected:.0f} s" if self.expected is not None else ""
        return f"retry {self.number}{of} in {self.seconds * 1000:.0f} ms, held by {self.holder}{line}{about}"


@dataclass(frozen=True, slots=True)
class Backoff:
    """The figures: ``first`` and ``most`` in seconds, ``spread`` a share of each wait; 0 attempts: no end."""

    first: float = 0.3
    factor: float = 2.0
    spread: float = 0.3
    attempts: int = 6
    most: float = float("inf")

    def retries(self, holder: Callable[[], str]) -> Iterator[Retry]:
        """Each wait in turn, ``holder`` asked anew for each; the caller shows it and waits it out."""
        for number in range(self.attempts) if self.attempts else count():
            seconds = jitter(min(self.most, self.first * self.factor ** min(number, 60)), self.spread)
            yield Retry(number + 1, self.attempts, seconds, holder())


def patient(seconds: float) -> Backoff:
    """For who waits up to ``seconds``: asks every second or so."""
    return Backoff(attempts=0, most=min(1.0, max(0.05, seconds / 4)))
