"""Hot files: files that everybody edits, so that an overlap in them is no reason to wait.

``hot_files`` of ``planctl.yaml`` names them one by one, and how what meets in them is merged. Plans are
compared as if nobody had declared them; that they meet there is told by file, not by pair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from plans.patterns import Pattern, PatternSet

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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


def meetings(plans: Sequence[Plan], hot: Collection[str]) -> tuple[HotMeeting, ...]:
    """The hot files that two plans or more declare to write, sorted."""
    found: list[HotMeeting] = []
    for path in sorted(hot):
        writers = (plan.id for plan in plans if plan.manifest and plan.manifest.write.matches(path))
        if len(ids := tuple(sorted(writers))) > 1:
            found.append(HotMeeting(path, ids))
    return tuple(found)


def without_hot(plan: Plan, hot: Collection[str]) -> Plan:
    """``plan`` as if neither it nor its phases had declared a hot file."""
    if not hot:
        return plan
    phases = tuple(replace(phase, manifest=_cooled(phase.manifest, hot)) for phase in plan.phases)
    return replace(plan, manifest=_cooled(plan.manifest, hot), phases=phases)


def _cooled(manifest: Manifest | None, hot: Collection[str]) -> Manifest | None:
    if manifest is None:
        return None
    return replace(manifest, write=_without(manifest.write, hot), read=_without(manifest.read, hot))


def _without(patterns: PatternSet, hot: Collection[str]) -> PatternSet:
    """A file that is named as it is goes out of the list; what else has it is followed by a taking away."""
    left = PatternSet(tuple(pattern for pattern in patterns.patterns if pattern.text not in hot))
    more = (Pattern(f"!{path}", negated=True) for path in sorted(hot) if left.matches(path))
    return PatternSet((*left.patterns, *more))
