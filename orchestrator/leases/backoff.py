"""How long to wait for what another holds: 300 ms · 2ⁿ ± 30 %, six times (19 s in all), then no more.

The growth keeps many waiters from asking all the time, the jitter from asking all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.clock import jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Retry:
    """A wait that is about to begin; ``str()`` is what is shown of it. ``number`` counts from 1."""

    number: int
    attempts: int
    seconds: float
    holder: str

    def __str__(self) -> str:
        return f"retry {self.number}/{self.attempts} in {self.seconds * 1000:.0f} ms, held by {self.holder}"


@dataclass(frozen=True, slots=True)
class Backoff:
    """The figures; ``first`` in seconds, ``spread`` as a share of each wait."""

    first: float = 0.3
    factor: float = 2.0
    spread: float = 0.3
    attempts: int = 6

    def retries(self, holder: Callable[[], str]) -> Iterator[Retry]:
        """Each wait in turn, ``holder`` asked anew for each; the caller shows it and waits it out."""
        for number in range(self.attempts):
            seconds = jitter(self.first * self.factor**number, self.spread)
            yield Retry(number + 1, self.attempts, seconds, holder())
