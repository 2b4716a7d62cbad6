"""What is written at an edge, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from plans.edges import EdgeReason
from plans.model import Until

if TYPE_CHECKING:
    from plans.edges import Edge
    from plans.model import Dependency


def edge_label(edge: Edge) -> str:
    """Why the later plan waits; the witness of an overlap is untrusted and must be escaped by the caller."""
    match edge.why:
        case EdgeReason.DEPENDENCY:
            return until_label(edge)
        case EdgeReason.OVERLAP:
            words = "overlap" if edge.delays_start else "lands after, overlap"
            return f"{words} on {edge.detail}" if edge.detail else words
        case EdgeReason.CONFLICTS_WITH:
            return "never at the same time"
        case _:
            assert_never(edge.why)


def until_label(what: Edge | Dependency) -> str:
    """What has to be reached: ``landed``, ``finished``, ``started`` or ``phase 2 complete``."""
    return f"phase {what.phase} complete" if what.until is Until.PHASE else str(what.until)
