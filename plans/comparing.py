"""Manifests compared: which pairs name the same file, by which patterns, and which files exist.

Existing files that both match are found by one look at the tree for each plan; only for a pair without any
does the exact test of :mod:`plans.intersect` decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.advice import Advice, Kind, Meeting, OverlapSeverity, advise, phases_that_meet
from plans.candidates import candidate_pairs
from plans.errors import UndecidedPatternsError
from plans.hotfiles import without_hot
from plans.intersect import Witness, witness
from plans.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Collection

    from plans.folding import Folding
    from plans.ids import PhaseId, PlanId
    from plans.model import Manifest, Plan
    from plans.tree import FileTree

MAX_FILES: Final = 50
"""The most existing files that an overlap names."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two plans that can name the same file, ``a`` before ``b``.

    ``witness`` is a path that both have: an existing file where there is one, else one that may come to
    be. It is empty only when exclusions were too entangled to decide, which counts as an overlap.
    ``patterns`` gave it on each side. ``files`` are the first existing ones that both have,
    ``files_total`` counts all. ``phases`` are those of each plan that meet the other, and empty for a plan
    whose phases narrow nothing.
    """

    a: PlanId
    b: PlanId
    kind: Kind
    severity: OverlapSeverity
    witness: str
    patterns: tuple[str, str]
    files: tuple[str, ...]
    files_total: int
    advice: Advice
    phases: tuple[tuple[PhaseId, ...], tuple[PhaseId, ...]] = ((), ())


class Finder:
    """The plans with their manifests, folded, and what has been looked up for each of them."""

    def __init__(self, plans: list[tuple[Plan, Manifest]], tree: FileTree, folding: Folding) -> None:
        self.tree = tree
        self.folding = folding
        self._plans = [folding.plan(plan) for plan, _ in plans]
        self._declared = [manifest for _, manifest in plans]
        self._manifests = [folding.manifest(manifest) for manifest in self._declared]
        self._files: dict[tuple[int, bool], frozenset[int]] = {}

    def overlaps(self) -> list[Overlap]:
        """Every overlap, by plans and kind."""
        found: list[Overlap] = []
        for a, b, a_writes, b_writes in candidate_pairs(self._manifests, self.tree):
            overlap = self._overlap((a, a_writes), (b, b_writes))
            if overlap is not None:
                found.append(overlap)
        order = list(Kind)
        return sorted(found, key=lambda one: (one.a, one.b, order.index(one.kind)))

    def writes(self) -> list[tuple[PlanId, PatternSet]]:
        """What each plan declared to write."""
        return [
            (plan.id, manifest.write) for plan, manifest in zip(self._plans, self._manifests, strict=True)
        ]

    def _patterns(self, side: tuple[int, bool]) -> PatternSet:
        return _of(self._manifests[side[0]], writes=side[1])

    def _as_declared(self, side: tuple[int, bool], text: str) -> str:
        """The pattern as it was written whose folded text this is."""
        if not self.folding:
            return text
        declared = _of(self._declared[side[0]], writes=side[1])
        return declared.texts[self._patterns(side).texts.index(text)]

    def _existing(self, side: tuple[int, bool]) -> frozenset[int]:
        known = self._files.get(side)
        if known is None:
            known = self._files[side] = self.tree.matching(self._patterns(side))
        return known

    def _overlap(self, a: tuple[int, bool], b: tuple[int, bool]) -> Overlap | None:
        kind = Kind.of(a_writes=a[1], b_writes=b[1])
        shared = sorted(self._existing(a) & self._existing(b))
        files = tuple(self.tree.paths[number] for number in shared[:MAX_FILES])
        seen = _evidence(self._patterns(a), self._patterns(b), files)
        if seen is None:
            return None
        path, folded = seen
        patterns = self._as_declared(a, folded[0]), self._as_declared(b, folded[1])
        first, second = self._plans[a[0]], self._plans[b[0]]
        phases = phases_that_meet(first, second, kind)
        meeting = Meeting(kind, patterns, exists=bool(files) or not self.tree.paths, phases=phases)
        named = (phases[0].meeting, phases[1].meeting)
        advice = advise(meeting)
        path, *files_ = (self.tree.written(file) for file in (path, *files))
        return Overlap(
            first.id,
            second.id,
            kind,
            kind.severity,
            path,
            patterns,
            tuple(files_),
            len(shared),
            advice,
            named,
        )


def writes_in_common(a: Plan, b: Plan, hot: Collection[str], folding: Folding) -> str | None:
    """A path that both plans declare to write, ``hot`` files aside; None where there is none.

    Where it is not decided, a pattern of the first, since then they are taken to meet.
    """
    mine, theirs = (folding.plan(without_hot(plan, hot, folding)).manifest for plan in (a, b))
    seen = _evidence(mine.write, theirs.write, ()) if mine and theirs else None
    return (seen[0] or seen[1][0]) if seen else None


def file_in_common(a: PatternSet, b: PatternSet) -> Witness | None:
    """A path that both sets have, and what gives it; the path is empty where it is not decided."""
    seen = _evidence(a, b, ())
    return None if seen is None else Witness(seen[0], *seen[1])


def _of(manifest: Manifest, *, writes: bool) -> PatternSet:
    return manifest.write if writes else manifest.read


def _evidence(a: PatternSet, b: PatternSet, files: tuple[str, ...]) -> tuple[str, tuple[str, str]] | None:
    """A path that both have and the patterns that give it; the path is empty where it is not decided."""
    if files:
        gives_a, gives_b = a.giving(files[0]), b.giving(files[0])
        assert gives_a is not None
        assert gives_b is not None
        return files[0], (gives_a.text, gives_b.text)
    try:
        found = witness(a, b)
    except UndecidedPatternsError:
        found = witness(_positive(a), _positive(b))
        assert found is not None
        return "", (found.pattern_a, found.pattern_b)
    return None if found is None else (found.path, (found.pattern_a, found.pattern_b))


def _positive(patterns: PatternSet) -> PatternSet:
    return PatternSet(tuple(pattern for pattern in patterns.patterns if not pattern.negated))
