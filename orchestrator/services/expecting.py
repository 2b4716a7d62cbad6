"""When an entry will probably have landed, from how long checks have taken lately."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Final

from orchestrator.clock import seconds_between
from orchestrator.events import EventName
from orchestrator.merging.checknames import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.store.records import StoredEvent

_LATELY: Final = 20
"""Checks that count: fewer than a day's, more than an accident."""


@dataclass(frozen=True, slots=True)
class Expected:
    """``seconds`` from now, by the ``median`` of so many ``checks`` of the target, in seconds."""

    seconds: float
    median: float
    checks: int


def expected(events: Iterable[StoredEvent], position: int, at_once: int, now: str) -> Expected | None:
    """When the entry at ``position`` (from 1) will have landed if all before it pass; None: nothing is known.

    ``at_once`` checks run beside each other, so as many entries take the time of one check. ``now`` is the
    clock's text; what the check at work has taken already is counted.
    """
    seconds: list[float] = []
    running: str | None = None
    for event in events:
        if event.data.get("check") != TARGET or event.data.get("ahead"):
            continue
        if event.event == EventName.CHECK_STARTED:
            running = event.ts
        elif event.event == EventName.CHECK_FINISHED:
            running = None
            seconds += [float(event.data["seconds"])] if event.data.get("passed") else []
    lately = seconds[-_LATELY:]
    if not lately:
        return None
    usual = median(lately)
    gone = seconds_between(running, now) if running else 0.0
    return Expected(max(0.0, usual * ceil(position / at_once) - min(gone, usual)), usual, len(lately))
