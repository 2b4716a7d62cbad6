"""Which policy fits: by the slots, the entries that wait and the share of them that fails."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.planning.cost import batch_size
from orchestrator.planning.ranked import plan_ranked
from orchestrator.planning.units import plan_line

if TYPE_CHECKING:
    from orchestrator.planning.model import Snapshot, Wanted


class Policy(StrEnum):
    """What may be chosen with ``queue:``; ``auto`` is one of the others at each moment."""

    SERIAL = "serial"
    BATCH = "batch"
    PREFIX = "prefix"
    LANES = "lanes"
    RANKED = "ranked"
    AUTO = "auto"


def plan(view: Snapshot, policy: Policy) -> Wanted:
    """What is wanted now."""
    match policy:
        case Policy.SERIAL:
            return plan_line(view, 1, 1)
        case Policy.BATCH:
            return plan_line(view, batch_size(view.rates), 1)
        case Policy.PREFIX:
            return plan_line(view, 1, view.window)
        case Policy.LANES:
            return plan_ranked(view, threshold=1.0)
        case Policy.RANKED:
            return plan_ranked(view)
        case Policy.AUTO:
            return _auto(view)


MANY: Final = 0.2
"""Failing entries to be expected among as many as there are slots: above, a line stands still too often."""


def _auto(view: Snapshot) -> Wanted:
    """One check for each entry where there are slots for that; else what gets more done with those there are.

    A line of batches, one on top of the other, lands no more at once than what comes before the first that
    fails, however many slots there are: with few slots and few failures it is the cheapest way, and else
    paths keep more slots at useful work. Where they break even was found by simulation (docs/queue.md).
    """
    if view.slots >= len(view.items) or (view.slots > 1 and view.slots * view.rates.failure > MANY):
        return plan_ranked(view)
    size = min(batch_size(view.rates), -(-len(view.items) // view.slots))
    return plan_line(view, size, view.slots)
