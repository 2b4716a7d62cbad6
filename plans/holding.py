"""What a plan holds of named resources while it is at work, and until when: the rows of the resource table.

A resource that phases mention is held by those phases alone, from the start of the plan until the last of
them is complete; where they want different amounts, the most that an open phase wants. One that only the plan
mentions is held until its command has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from plans.ids import PhaseId
    from plans.model import Plan


@dataclass(frozen=True, slots=True)
class Hold:
    """One row: ``amount`` of ``resource`` until the phase ``until`` is complete, or (None) the plan ends."""

    resource: str
    amount: int
    until: PhaseId | None = None


def holds_of(plan: Plan) -> tuple[Hold, ...]:
    """The rows of a plan that starts, sorted by resource, those of phases in the plan's order."""
    if not plan.resources and not plan.phases:
        return ()  # nearly all, and each is asked in each round
    by_phases = [
        Hold(resource, amount, phase.id)
        for phase in plan.phases
        for resource, amount in phase.resources.items()
    ]
    narrowed = {hold.resource for hold in by_phases}
    throughout = [Hold(name, amount) for name, amount in plan.resources.items() if name not in narrowed]
    return tuple(sorted([*by_phases, *throughout], key=lambda hold: hold.resource))


def held(holds: Iterable[Hold], done: Collection[str] = ()) -> dict[str, int]:
    """How much of each resource is held once the phases ``done`` are complete; nothing of what is free."""
    amounts: dict[str, int] = {}
    for hold in holds:
        if hold.until not in done:
            amounts[hold.resource] = max(hold.amount, amounts.get(hold.resource, 0))
    return amounts
