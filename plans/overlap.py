"""Many manifests to overlaps: which plans can name the same file, shown with a path, and what to do about it.

1. An index over literal prefixes and last names leaves the pairs that can share a path at all
   (:mod:`plans.candidates`).
2. The files that both match are found by one look at the tree for each plan, not for each pair. An existing
   file is the best witness.
3. Only where there is none, the exact test of :mod:`plans.intersect` decides about files that may come.
4. The advice says what the pair should do (:mod:`plans.advice`).
5. For plans that declare nothing, the same once more with the files that their text names
   (:mod:`plans.predict`), kept apart: what is guessed advises, what is declared binds.

Hot files (:mod:`plans.hotfiles`) are left out of all of it; where plans meet in them is told by file.

A plan's own file belongs to its manifest without being said, and makes no overlap: it is not looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from plans.advice import Advice, Kind, Meeting, OverlapSeverity, advise, phases_that_meet
from plans.candidates import candidate_pairs
from plans.errors import UndecidedPatternsError
from plans.folding import EXACT
from plans.hotfiles import meetings, without_hot
from plans.intersect import witness
from plans.patterns import PatternSet
from plans.predict import guessed_manifest, predict
from plans.proximity import Proximity, neighbours
from plans.tree import FileTree, matching_files

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from plans.folding import Folding
    from plans.hotfiles import HotMeeting
    from plans.ids import PhaseId, PlanId
    from plans.model import Manifest, Plan
    from plans.predict import Guess

__all__ = [
    "Advice",
    "Kind",
    "Overlap",
    "OverlapReport",
    "OverlapSeverity",
    "Proximity",
    "find_overlaps",
    "matching_files",
]

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


@dataclass(frozen=True, slots=True)
class OverlapReport:
    """What was found among ``plans``; ``unknown`` are those without a manifest. Everything is sorted.

    ``guesses`` are the files that the text of an unknown plan names, where it names any, and ``possible``
    the overlaps that there would be if those were its manifest: advice, which nobody waits for. ``hot`` are
    the hot files that several of them write, which is no overlap.
    """

    plans: tuple[PlanId, ...]
    unknown: tuple[PlanId, ...]
    overlaps: tuple[Overlap, ...]
    proximity: tuple[Proximity, ...]
    guesses: Mapping[PlanId, tuple[Guess, ...]] = field(default_factory=dict)
    possible: tuple[Overlap, ...] = ()
    hot: tuple[HotMeeting, ...] = ()

    def advice(self, one: PlanId, other: PlanId) -> Advice:
        """What the pair should do, in whichever order it is given; the strictest where kinds differ.

        ``independent`` for a pair without overlap; of a plan that is unknown, nothing is known either way.
        """
        pair = tuple(sorted((one, other)))
        given = [overlap.advice for overlap in self.overlaps if (overlap.a, overlap.b) == pair]
        return max(given, key=list(Advice).index, default=Advice.INDEPENDENT)


def find_overlaps(
    plans: Sequence[Plan], tree: Sequence[str] = (), hot: Collection[str] = (), folding: Folding = EXACT
) -> OverlapReport:
    """All overlaps among the plans; ``tree`` are the paths of existing files, at the revision that counts.

    ``hot`` are the paths of hot files. ``folding`` says which names are one file; a witness that does not
    exist yet and a folder are shown folded, existing files and patterns as they are written.
    """
    met = meetings(plans, hot)
    plans = [without_hot(plan, hot) for plan in plans]
    known = sorted(
        ((plan, plan.manifest) for plan in plans if plan.manifest is not None), key=lambda one: one[0].id
    )
    unknown = sorted((plan for plan in plans if plan.manifest is None), key=lambda one: one.id)
    finder = _Finder(known, FileTree(tree, folding), folding)
    overlaps = finder.overlaps()
    pairs = {(overlap.a, overlap.b) for overlap in overlaps}
    guesses = {plan.id: found for plan in unknown if (found := predict(plan, FileTree(tree)))}
    return OverlapReport(
        tuple(sorted(plan.id for plan in plans)),
        tuple(plan.id for plan in unknown),
        tuple(overlaps),
        neighbours(finder.writes(), finder.tree, pairs),
        guesses,
        _possible(known, _guessed(unknown, guesses, hot), finder) if guesses else (),
        met,
    )


def _guessed(
    unknown: list[Plan], guesses: Mapping[PlanId, tuple[Guess, ...]], hot: Collection[str]
) -> list[Plan]:
    """The plans with guesses, as if they had declared them."""
    plans = (
        replace(plan, manifest=guessed_manifest(guesses[plan.id])) for plan in unknown if plan.id in guesses
    )
    return [without_hot(plan, hot) for plan in plans]


def _possible(
    known: list[tuple[Plan, Manifest]], guessed: list[Plan], finder: _Finder
) -> tuple[Overlap, ...]:
    """The overlaps that at least one plan with guesses has a part in."""
    more = [(plan, plan.manifest) for plan in guessed if plan.manifest is not None]
    ids = {plan.id for plan in guessed}
    found = _Finder(sorted([*known, *more], key=lambda one: one[0].id), finder.tree, finder.folding)
    return tuple(overlap for overlap in found.overlaps() if overlap.a in ids or overlap.b in ids)


class _Finder:
    """The plans with their manifests, folded, and what has been looked up for each of them."""

    def __init__(self, plans: list[tuple[Plan, Manifest]], tree: FileTree, folding: Folding) -> None:
        self.tree = tree
        self.folding = folding
        self._plans = [folding.plan(plan) for plan, _ in plans]
        self._declared = [manifest for _, manifest in plans]
        self._manifests = [folding.manifest(manifest) for manifest in self._declared]
        self._files: dict[tuple[int, bool], frozenset[int]] = {}

    def overlaps(self) -> list[Overlap]:
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
