"""An edge of the graph: which plan comes before which, why, and what ends the wait."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from plans.ids import PhaseId, PlanId
from plans.model import Until

if TYPE_CHECKING:
    from plans.model import Plan


class EdgeReason(StrEnum):
    """Why one plan comes before another."""

    DEPENDENCY = "dependency"
    """The later plan says so. If the earlier one does not succeed, the later one cannot start."""
    OVERLAP = "overlap"
    """Both can name the same file. Over once the earlier one has landed, or has ended without landing."""
    CONFLICTS_WITH = "conflicts_with"
    """Never at the same time. Over once the earlier one has ended, landed or not."""


@dataclass(frozen=True, slots=True)
class Edge:
    """``before`` comes before ``after``.

    ``until`` is what ``before`` must have reached for ``after`` to start; None means that the start waits
    for nothing and only the landing is ordered. ``detail`` is for people (the witness path of an overlap,
    untrusted text); ``phase`` is set exactly when ``until`` is PHASE.
    """

    before: PlanId
    after: PlanId
    why: EdgeReason
    until: Until | None = Until.LANDED
    detail: str = ""
    phase: PhaseId | None = None

    @property
    def delays_start(self) -> bool:
        """Whether ``after`` may not start before ``until`` is reached."""
        return self.until is not None

    @property
    def lands_after(self) -> bool:
        """Whether ``after`` may start earlier but lands only after ``before``: overlaps, stacked work."""
        return self.until in (None, Until.FINISHED, Until.PHASE)

    @property
    def requires_success(self) -> bool:
        """Whether ``after`` can no longer start once ``before`` has failed; else a failure ends the wait."""
        return self.why is EdgeReason.DEPENDENCY

    def sort_key(self) -> tuple[str, ...]:
        """The one order in which edges are listed everywhere."""
        return (self.before, self.after, self.why, self.until or "", self.phase or "", self.detail)


def precedence(plan: Plan, remaining: float) -> tuple[float, float, str]:
    """The smaller goes first: priority, then the longer remaining chain, then id."""
    return (-plan.priority, -remaining, plan.id)
