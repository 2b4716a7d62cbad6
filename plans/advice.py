"""What two plans that overlap should do, by rules that can be said in a sentence each.

1. ``phase-lock`` where both write and phases narrow it: on at least one side some phases meet the other plan
   and some do not, so that only those need to wait for each other.
2. ``isolate`` where waiting costs more than it saves: one only reads what the other writes; or both write,
   but no existing file is shared and both patterns that meet have wildcards, so that a clash is only a
   possibility. Both run at once in their own worktrees and land in order, a reader after the writer.
3. ``sequence`` otherwise: one after the other.

``independent`` is for pairs that do not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from plans.errors import UndecidedPatternsError
from plans.intersect import witness
from plans.patterns import Pattern, PatternSet

if TYPE_CHECKING:
    from plans.ids import PhaseId
    from plans.model import Manifest, Plan


class OverlapSeverity(StrEnum):
    """How much an overlap matters."""

    HIGH = "high"
    """Both write the file."""
    MEDIUM = "medium"
    """One reads what the other writes."""


class Kind(StrEnum):
    """What the two plans do with the file, the first one's role first; in order of severity."""

    WRITE_WRITE = "write-write"
    WRITE_READ = "write-read"
    READ_WRITE = "read-write"

    @classmethod
    def of(cls, *, a_writes: bool, b_writes: bool) -> Kind:
        """The kind of two roles, one of which writes."""
        if a_writes and b_writes:
            return cls.WRITE_WRITE
        return cls.WRITE_READ if a_writes else cls.READ_WRITE

    @property
    def severity(self) -> OverlapSeverity:
        """High where both write."""
        return OverlapSeverity.HIGH if self is Kind.WRITE_WRITE else OverlapSeverity.MEDIUM


class Advice(StrEnum):
    """What a pair should do, from the freest to the strictest."""

    INDEPENDENT = "independent"
    """Run as they like."""
    ISOLATE = "isolate"
    """Run at once, land in order."""
    PHASE_LOCK = "phase-lock"
    """Only the phases that meet wait for each other."""
    SEQUENCE = "sequence"
    """One after the other."""


@dataclass(frozen=True, slots=True)
class Phases:
    """The phases of one plan that meet the other plan; both empty where its phases narrow nothing."""

    meeting: tuple[PhaseId, ...] = ()
    others: tuple[PhaseId, ...] = ()


@dataclass(frozen=True, slots=True)
class Meeting:
    """How two plans meet. ``exists``: in an existing file, or nothing is known of which files exist."""

    kind: Kind
    patterns: tuple[str, str]
    exists: bool
    phases: tuple[Phases, Phases] = (Phases(), Phases())


def advise(meeting: Meeting) -> Advice:
    """The advice for two plans that overlap, by the rules above."""
    if meeting.kind is not Kind.WRITE_WRITE:
        return Advice.ISOLATE
    if any(phases.meeting and phases.others for phases in meeting.phases):
        return Advice.PHASE_LOCK
    if not meeting.exists and all(Pattern(text).has_wildcard for text in meeting.patterns):
        return Advice.ISOLATE
    return Advice.SEQUENCE


_Stage = tuple["PhaseId | None", PatternSet]


def phases_that_meet(a: Plan, b: Plan, kind: Kind) -> tuple[Phases, Phases]:
    """The phases of each plan that meet a phase of the other in this kind of overlap.

    A phase that says nothing can touch all that its plan can. Where no two phases meet although the plans do,
    it is not known when they meet, and no phase is named.
    """
    of_a = _stages(a, writes=kind is not Kind.READ_WRITE)
    of_b = _stages(b, writes=kind is not Kind.WRITE_READ)
    if len(of_a) == len(of_b) == 1:
        return Phases(), Phases()
    met = {(i, j) for i, one in enumerate(of_a) for j, other in enumerate(of_b) if _meet(one[1], other[1])}
    return _split(of_a, {i for i, _ in met}), _split(of_b, {j for _, j in met})


def _stages(plan: Plan, *, writes: bool) -> list[_Stage]:
    assert plan.manifest is not None
    if not any(phase.manifest is not None for phase in plan.phases):
        return [(None, _of(plan.manifest, writes=writes))]
    return [(phase.id, _of(phase.manifest or plan.manifest, writes=writes)) for phase in plan.phases]


def _of(manifest: Manifest, *, writes: bool) -> PatternSet:
    return manifest.write if writes else manifest.read


def _meet(one: PatternSet, other: PatternSet) -> bool:
    try:
        return witness(one, other) is not None
    except UndecidedPatternsError:
        return True


def _split(stages: list[_Stage], met: set[int]) -> Phases:
    if not met:
        return Phases()
    named = [(number, phase) for number, (phase, _) in enumerate(stages) if phase is not None]
    return Phases(
        tuple(phase for number, phase in named if number in met),
        tuple(phase for number, phase in named if number not in met),
    )
