"""Directions for pairs of plans that must not run, or not land, in just any order. See ``build_graph``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plans.edges import Edge, EdgeReason, precedence
from plans.model import Until
from plans.overlap import Kind, OverlapSeverity
from plans.project import OverlapMode
from plans.reachability import Reachability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from plans.ids import PlanId
    from plans.model import Plan
    from plans.overlap import Overlap


@dataclass
class _Pair:
    """Two plans, the one of higher precedence first, and why their order matters."""

    first: PlanId
    second: PlanId
    conflict: bool = False
    overlaps: list[Overlap] = field(default_factory=list)

    @property
    def is_high(self) -> bool:
        return any(o.severity is OverlapSeverity.HIGH for o in self.overlaps)

    @property
    def witness(self) -> str:
        """A path of the gravest overlap."""
        return min(self.overlaps, key=lambda o: (o.severity is not OverlapSeverity.HIGH, o.witness)).witness

    @property
    def only_writer(self) -> PlanId | None:
        """The one that writes what the other reads; None when both do, or both write."""
        writers = {o.a if o.kind is Kind.WRITE_READ else o.b for o in self.overlaps}
        return writers.pop() if len(writers) == 1 and not self.is_high else None


def ordered_pairs(
    plans: Mapping[PlanId, Plan],
    certain: Sequence[Edge],
    overlaps: Sequence[Overlap],
    mode: OverlapMode,
    remaining: Mapping[PlanId, float],
) -> list[Edge]:
    """The edges of ``conflicts_with`` and of ``overlaps``, directed; ``certain`` has no circle."""
    rank = {plan.id: precedence(plan, remaining[plan.id]) for plan in plans.values()}
    pairs = _pairs(plans, overlaps if mode is not OverlapMode.FORBID else (), rank)
    order = Reachability(plans)
    for edge in certain:
        order.add(edge.before, edge.after)
    serial = mode is OverlapMode.SERIALIZE
    apart = [p for p in pairs if p.conflict or (serial and p.is_high)]
    rest = [p for p in pairs if not (p.conflict or (serial and p.is_high))]
    carried = _Carried(plans, certain)
    edges: list[Edge] = []
    for pair in apart:
        edges += _edges_apart(pair, order, carried, serial=serial)
    for pair in rest:
        before, after = _directed(pair, order, pair.only_writer if serial else None)
        edges.append(Edge(before, after, EdgeReason.OVERLAP, None, pair.witness))
    return edges


def _edges_apart(pair: _Pair, order: Reachability, carried: _Carried, *, serial: bool) -> list[Edge]:
    before, after = _directed(pair, order, None)
    edges = []
    if pair.conflict:
        edges.append(Edge(before, after, EdgeReason.CONFLICTS_WITH))
    if pair.overlaps:
        waits = serial and pair.is_high and not carried.holds(before, after)
        edges.append(Edge(before, after, EdgeReason.OVERLAP, Until.LANDED if waits else None, pair.witness))
    return edges


def _directed(pair: _Pair, order: Reachability, wanted: PlanId | None) -> tuple[PlanId, PlanId]:
    """The order that exists, else ``wanted`` first, else precedence; remembered in ``order``."""
    before, after = pair.first, pair.second
    if order.comes_before(after, before) or (wanted == after and not order.comes_before(before, after)):
        before, after = after, before
    order.add(before, after)
    return before, after


def _pairs(
    plans: Mapping[PlanId, Plan], overlaps: Iterable[Overlap], rank: Mapping[PlanId, tuple[float, float, str]]
) -> list[_Pair]:
    """Each pair once, the most important first, so that what is said of it is least bound by others."""
    found: dict[tuple[PlanId, PlanId], _Pair] = {}

    def pair(a: PlanId, b: PlanId) -> _Pair:
        first, second = sorted((a, b), key=rank.__getitem__)
        return found.setdefault((first, second), _Pair(first, second))

    for plan in plans.values():
        for other in plan.conflicts_with:
            if other in plans and other != plan.id:
                pair(plan.id, other).conflict = True
    for overlap in overlaps:
        if overlap.a in plans and overlap.b in plans:
            pair(overlap.a, overlap.b).overlaps.append(overlap)
    return sorted(found.values(), key=lambda p: (rank[p.first], rank[p.second]))


class _Carried:
    """Pairs whose later plan starts with all of the earlier one's work, or when its author said it may.

    The first is so along dependencies on ``landed`` and ``finished``, the second for a direct dependency
    on a phase. There an overlap orders the landing and must not undo the stacking that was asked for.
    """

    def __init__(self, plans: Mapping[PlanId, Plan], certain: Iterable[Edge]) -> None:
        self._whole = Reachability(plans)
        self._asked: set[tuple[PlanId, PlanId]] = set()
        for edge in certain:
            if edge.until in (Until.LANDED, Until.FINISHED):
                self._whole.add(edge.before, edge.after)
            elif edge.until is Until.PHASE:
                self._asked.add((edge.before, edge.after))

    def holds(self, before: PlanId, after: PlanId) -> bool:
        return self._whole.comes_before(before, after) or (before, after) in self._asked
