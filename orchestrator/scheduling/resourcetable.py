"""The resource table: which plan at work holds how much of what, until which of its phases is complete.

Rows are stored with the attempt when it starts and count while it is at work; a phase's completion, which any
process may record, takes the phase's rows out by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.states import WORKING_ATTEMPTS
from plans.holding import Hold, held

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """``plan``, in ``run``, holds ``amount`` of ``resource`` until that phase is complete, or its own end."""

    resource: str
    amount: int
    plan: str
    run: str
    until: str | None


class ResourceTable:
    """The table at one moment."""

    def __init__(self, store: Store) -> None:
        self._holds: dict[str, tuple[Attempt, tuple[Hold, ...]]] = {}
        done = {(phase.attempt, phase.phase) for phase in store.phases_done()}
        for attempt in store.attempts(states=WORKING_ATTEMPTS):
            holds = (Hold(**row) for row in attempt.holds)
            open_ones = tuple(hold for hold in holds if (attempt.id, hold.until) not in done)
            self._holds[attempt.id] = (attempt, open_ones)

    def held(self, attempt: str) -> dict[str, int]:
        """How much an attempt holds of each resource; nothing for one that is not at work."""
        return held(self._holds[attempt][1]) if attempt in self._holds else {}

    def rows(self) -> list[ResourceRow]:
        """All rows, by resource, then in the order of the attempts."""
        rows = [
            ResourceRow(hold.resource, hold.amount, attempt.plan, attempt.run, hold.until)
            for attempt, holds in self._holds.values()
            for hold in holds
        ]
        return sorted(rows, key=lambda row: row.resource)
