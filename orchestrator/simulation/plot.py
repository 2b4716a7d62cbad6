"""Policies side by side as a picture: how soon which share of the changes is decided, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import leather

from orchestrator.simulation.report import CURVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.simulation.report import Row

_COLOURS: Final = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7")
"""Of M. Okabe and K. Ito: told apart by those who do not see all colours."""


def svg(rows: Sequence[Row]) -> str:
    """Two charts as one SVG, without scripts and without anything from elsewhere."""
    waits = leather.Chart("Decided, percent of changes, after minutes")
    for number, row in enumerate(rows):
        points = [(seconds / 60, percent) for seconds, percent in zip(row.curve, CURVE, strict=True)]
        waits.add_line(points, name=row.policy, stroke_color=_COLOURS[number % len(_COLOURS)])
    costs = leather.Chart("Checks for each change")
    costs.add_bars([(row.checks, row.policy) for row in reversed(rows)])
    grid = leather.Grid()
    grid.add_many([waits, costs])
    return str(grid.to_svg())
