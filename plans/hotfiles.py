"""Hot files: files that everybody edits, so that an overlap in them is no reason to wait.

``hot_files`` of ``planctl.yaml`` names them one by one, and how what meets in them is merged. Plans are
compared as if nobody had declared them; that they meet there is told by file, not by pair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from plans.folding import EXACT
from plans.patterns import Pattern, PatternSet

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from plans.folding import Folding
    from plans.ids import PlanId
    from plans.model import Manifest, Plan


class HotMerge(StrEnum):
    """How a hot file is merged."""

    UNION = "union"
    """Where both sides added lines at one place, those of both."""
    FRAGMENT = "fragment"
    """Put together from the snippets of a folder."""
    REGENERATE = "regenerate"
    """Where both sides changed it, made anew by a command in the merged tree."""


@dataclass(frozen=True, slots=True)
class HotFile:
    """How one file is merged, and ``by`` what: the folder of its snippets, the command that makes it."""

    merge: HotMerge
    by: str = ""


@dataclass(frozen=True, slots=True)
class HotMeeting:
    """Plans that write the hot file ``path``, and need not wait for each other for that."""

    path: str
    plans: tuple[PlanId, ...]


def meetings(plans: Sequence[Plan], hot: Collection[str], folding: Folding = EXACT) -> tuple[HotMeeting, ...]:
    """The hot files that two plans or more declare to write, sorted."""
    found: list[HotMeeting] = []
    writes = [(plan.id, folding.patterns(plan.manifest.write)) for plan in plans if plan.manifest and hot]
    for path in sorted(hot):
        writers = (plan for plan, patterns in writes if patterns.matches(folding.path(path)))
        if len(ids := tuple(sorted(writers))) > 1:
            found.append(HotMeeting(path, ids))
    return tuple(found)


def without_hot(plan: Plan, hot: Collection[str], folding: Folding = EXACT) -> Plan:
    """``plan`` as if neither it nor its phases had declared a hot file, by any name that is the same file."""
    if not hot:
        return plan

    def cooled(manifest: Manifest | None) -> Manifest | None:
        if manifest is None:
            return None
        write, read = (
            without_hot_paths(patterns, hot, folding) for patterns in (manifest.write, manifest.read)
        )
        return replace(manifest, write=write, read=read)

    phases = tuple(replace(phase, manifest=cooled(phase.manifest)) for phase in plan.phases)
    return replace(plan, manifest=cooled(plan.manifest), phases=phases)


def without_hot_paths(patterns: PatternSet, hot: Collection[str], folding: Folding = EXACT) -> PatternSet:
    """``patterns`` without hot files.

    One that is named as it is goes out of the list; what else has it is followed by a taking away.
    """
    paths = {folding.path(path): path for path in sorted(hot)}
    left = PatternSet(tuple(p for p in patterns.patterns if p.negated or folding.path(p.text) not in paths))
    has = folding.patterns(left).matcher()
    more = (Pattern(f"!{path}", negated=True) for folded, path in paths.items() if has(folded))
    return PatternSet((*left.patterns, *more))
