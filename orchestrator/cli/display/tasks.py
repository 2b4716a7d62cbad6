"""Tasks in groups: in progress, claimed, available, waiting, completed; with who, where and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.display.leases import lasting
from orchestrator.cli.output import Colour
from orchestrator.clock import seconds_between
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.cli.output import Part
    from orchestrator.store.records import Session

_GROUPS: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...]] = (
    ("in progress", lambda row: row["state"] == "in_progress"),
    ("claimed", lambda row: row["state"] == "claimed"),
    ("available", lambda row: row["available"]),
    ("waiting", lambda row: row["state"] == "open" and not row["available"]),
    ("completed", lambda row: row["state"] == "completed"),
)


def lines(
    rows: Sequence[Mapping[str, Any]], whose: Mapping[str, Session], now: str
) -> Iterator[tuple[Part, ...]]:
    """What there is to say of ``rows``; ``now`` is wall time, for how long ago something was."""
    for title, belongs in _GROUPS:
        group = [row for row in rows if belongs(row)]
        if group:
            yield ((f"{title} ({len(group)})", Colour.BOLD),)
            for row in group:
                yield (one_line(f"  {row['id']}  {row['title']}{_said(row, whose, now)}"),)


def _said(row: Mapping[str, Any], whose: Mapping[str, Session], now: str) -> str:
    if row["state"] == "completed":
        took = f" in {lasting(row['duration_seconds'])}" if row["duration_seconds"] is not None else ""
        by = f"  by {row['claimed_by']}{took}" if row["claimed_by"] else ""
        return f"{by}: {row['result']}" if row["result"] else by
    if row["claimed_by"]:
        session = whose.get(row["claimed_by"])
        at = f" on {session.terminal or session.host}, pid {session.pid}" if session else ""
        since = row["started_at"] or row["claimed_at"]
        return f"  {row['claimed_by']}{at}, for {lasting(max(0.0, seconds_between(since, now)))}"
    waits = f"  waits for {', '.join(row['waits_for'][:3])}" if row["waits_for"] else ""
    return f"{waits}  ({row['note']})" if row["note"] else waits
