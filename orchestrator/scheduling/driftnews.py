"""What is new between two looks at a plan at work: decided purely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.scheduling.drifttable import MOST_PATHS, Drifted

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.scheduling.drift import Drift


@dataclass(frozen=True, slots=True)
class News:
    """``row`` is what is so now.

    ``began``: there is drift that was not there before. ``ended`` are paths that were put back. ``told`` are
    the plans at work to be told now that this plan changed a file of theirs.
    """

    row: Drifted
    began: bool = False
    ended: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def row_of(drift: Drift) -> Drifted:
    """The row of what was found; of each plan that is touched, the first path."""
    touches: dict[str, str] = {}
    for path, plan in drift.collisions:
        touches.setdefault(str(plan), path)
    return Drifted(drift.outside[:MOST_PATHS], len(drift.outside), touches)


def news(before: Drifted, now: Drifted, at_work: Collection[str]) -> News:
    """Compare two looks; ``at_work`` are the plans that have begun and may still land.

    A plan is told once of each drift into it; one that began only after the drift did is told then.
    """
    known = [plan for plan in before.told if plan in now.touches]
    told = [plan for plan in now.touches if plan in at_work and plan not in known]
    had = {*before.paths, *before.touches.values()}
    has = {*now.paths, *now.touches.values()}
    return News(
        replace(now, told=tuple(sorted({*known, *told}))),
        began=bool(has - had or now.count > before.count or now.touches.keys() - before.touches.keys()),
        ended=tuple(sorted(had - has)) if now.count <= MOST_PATHS else (),
        told=tuple(told),
    )
