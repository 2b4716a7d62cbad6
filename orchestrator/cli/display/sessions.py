"""Sessions as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.cli.output import Part


def lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Part, ...]]:
    """A line each, and one more for what it holds."""
    for row in rows:
        name = f"{row['agent']} " if row["agent"] else ""
        at = f", {row['terminal']}" if row["terminal"] else ""
        task = f", on {row['task']}" if row["task"] else ""
        note = f": {row['note']}" if row["note"] else ""
        said = f"{row['kind']} {name}{row['id']} (pid {row['pid']} on {row['host']}{at}){task}{note}"
        yield (one_line(said), *_state(row))
        if row["leases"]:
            yield (one_line(f"    holds {', '.join(row['leases'])}"),)


def _state(row: Mapping[str, Any]) -> tuple[Part, ...]:
    if row["state"] == "ended":
        return ((f"  ended {row['ended_at']}", Colour.DIM),)
    return () if row["alive"] else (("  not heard of in time, or dead", Colour.YELLOW),)
