"""How right the queue's estimates were, as a table for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import Colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.cli.output import Part
    from orchestrator.planning.calibration import Calibration


def calibration_lines(title: str, found: Calibration) -> Iterator[tuple[Part, ...]]:
    """What was told against what came; nothing where nothing was told."""
    if not found.outcomes:
        return
    yield ("",)
    yield ((title, Colour.BOLD),)
    than = "no worse than that" if found.is_better else "worse, so the base rate is used"
    yield (f"  {score(asdict(found))}: {than}",)
    rows = [("told", "entries", "at the mean", "landed")]
    rows += [
        (f"{b.low:.2f} to {b.high:.2f}", str(b.count), f"{b.told:.3f}", f"{b.landed / b.count:.3f}")
        for b in found.buckets
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        shown = [c.rjust(w) for c, w in zip(others, widths[1:], strict=True)]
        yield (f"  {'  '.join([first.ljust(widths[0]), *shown])}",)


def score(found: Mapping[str, Any]) -> str:
    """The scores of a calibration as it is in JSON."""
    scores = f"Brier score {found['brier']:.4f}, of the base rate {found['usual']:.4f}"
    return f"{scores}, over {found['outcomes']} outcomes"
