"""Many manifests to overlaps: which plans can name the same file, shown with a path, and what to do about it.

1. An index over literal prefixes and last names leaves the pairs that can share a path at all
   (:mod:`plans.candidates`).
2. The files that both match are found by one look at the tree for each plan, not for each pair. An existing
   file is the best witness.
3. Only where there is none, the exact test of :mod:`plans.intersect` decides about files that may come.
4. The advice says what the pair should do (:mod:`plans.advice`).
5. For plans of which more can be predicted than they declare (:mod:`plans.predicted`) the same once more as
   if they had declared that, kept apart: what is guessed advises, what is declared binds.

Hot files (:mod:`plans.hotfiles`) are left out of all of it; where plans meet in them is told by file.

A plan's own file belongs to its manifest without being said, and makes no overlap: it is not looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plans.advice import Advice, Kind, OverlapSeverity
from plans.comparing import Finder, Overlap
from plans.folding import EXACT
from plans.hotfiles import meetings, without_hot
from plans.predicted import Predictor, no_history, supposed
from plans.proximity import Proximity, neighbours
from plans.tree import FileTree, matching_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from plans.folding import Folding
    from plans.hotfiles import HotMeeting
    from plans.ids import PlanId
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


@dataclass(frozen=True, slots=True)
class OverlapReport:
    """What was found among ``plans``; ``unknown`` are those without a manifest. Everything is sorted.

    ``guesses`` are the files that a plan is predicted to touch beyond what it declares, where there are any,
    and ``possible`` the further overlaps that there would be if they were declared: advice, which nobody
    waits for. ``hot`` are the hot files that several of them write, which is no overlap.
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
    plans: Sequence[Plan],
    tree: Sequence[str] = (),
    hot: Collection[str] = (),
    folding: Folding = EXACT,
    history: Callable[[], Sequence[frozenset[str]]] = no_history,
) -> OverlapReport:
    """All overlaps among the plans; ``tree`` are the paths of existing files, at the revision that counts.

    ``hot`` are the paths of hot files. ``folding`` says which names are one file; a witness that does not
    exist yet and a folder are shown folded, existing files and patterns as they are written. ``history``
    gives the files that each commit changed.
    """
    exact = FileTree(tree)
    predictor = Predictor(exact, history)
    guesses = {
        plan.id: found
        for plan in sorted(plans, key=lambda one: one.id)
        if tree and (found := predictor.guesses(plan, hot))
    }
    cool = [without_hot(plan, hot, folding) for plan in plans]
    finder = Finder(_known(cool), FileTree(tree, folding) if folding else exact, folding)
    overlaps = finder.overlaps()
    pairs = {(overlap.a, overlap.b) for overlap in overlaps}
    return OverlapReport(
        tuple(sorted(plan.id for plan in plans)),
        tuple(sorted(plan.id for plan in plans if plan.manifest is None)),
        tuple(overlaps),
        neighbours(finder.writes(), finder.tree, pairs),
        guesses,
        _possible([_supposed(plan, guesses, hot, folding) for plan in cool], guesses, finder, pairs),
        meetings(plans, hot, folding),
    )


def _known(plans: Iterable[Plan]) -> list[tuple[Plan, Manifest]]:
    """Those with a manifest, by id."""
    found = ((plan, plan.manifest) for plan in plans if plan.manifest is not None)
    return sorted(found, key=lambda one: one[0].id)


def _supposed(
    plan: Plan, guesses: Mapping[PlanId, tuple[Guess, ...]], hot: Collection[str], folding: Folding
) -> Plan:
    return without_hot(supposed(plan, guesses[plan.id]), hot, folding) if plan.id in guesses else plan


def _possible(
    plans: list[Plan],
    guesses: Mapping[PlanId, tuple[Guess, ...]],
    finder: Finder,
    pairs: set[tuple[PlanId, PlanId]],
) -> tuple[Overlap, ...]:
    """The overlaps that at least one plan with guesses has a part in, of pairs that do not overlap anyhow."""
    if not guesses:
        return ()
    found = Finder(_known(plans), finder.tree, finder.folding).overlaps()
    return tuple(o for o in found if (o.a in guesses or o.b in guesses) and (o.a, o.b) not in pairs)
