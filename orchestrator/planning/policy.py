"""Which policy fits: by how many slots there are for the entries that wait, never by anything else."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

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


def _auto(view: Snapshot) -> Wanted:
    """One check for each entry while there are slots for that; else batches, one on top of the other."""
    if view.slots >= len(view.items):
        return plan_ranked(view)
    size = min(batch_size(view.rates), -(-len(view.items) // view.slots))
    return plan_line(view, size, view.slots)
