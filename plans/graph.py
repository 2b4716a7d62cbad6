"""The graph of plans: what must wait for what, in which waves, and which chain takes longest.

Edges come from dependencies, from ``conflicts_with`` and from overlaps; :func:`build_graph` says how the
last two are directed so that they can never close a circle. The only module that imports networkx
(200 ms), so importers of this one do it where a graph is needed.
"""

from __future__ import annotations

import heapq
import statistics
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import networkx as nx

from plans.edges import Edge, EdgeReason
from plans.errors import CycleError
from plans.ordering import ordered_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from plans.ids import PlanId
    from plans.model import Dependency, Plan
    from plans.overlap import Overlap
    from plans.project import OverlapMode

__all__ = ["Edge", "EdgeReason", "PlanGraph", "build_graph"]


@dataclass(frozen=True)
class PlanGraph:
    """Plans by id and the edges between them; without a circle, and the same for the same input.

    ``edges`` are sorted by ``before``, ``after`` and reason; two plans may have several. ``external`` holds,
    for each plan that has any, its dependencies on plans outside the selection. Methods that speak of
    order (:meth:`waves`, :meth:`order`, :meth:`critical_path`, :meth:`descendants`) follow the edges that
    delay a start; edges that only order landings are in ``edges`` and in :meth:`predecessors`.
    """

    plans: Mapping[PlanId, Plan]
    edges: tuple[Edge, ...]
    external: Mapping[PlanId, tuple[Dependency, ...]] = field(default_factory=dict)

    def predecessors(self, plan: PlanId) -> tuple[Edge, ...]:
        """The edges that end in ``plan``: what it waits for."""
        return self._into.get(plan, ())

    def successors(self, plan: PlanId) -> tuple[Edge, ...]:
        """The edges that begin in ``plan``: what waits for it."""
        return self._from.get(plan, ())

    def waves(self) -> tuple[tuple[PlanId, ...], ...]:
        """Plans that may start together, wave after wave; within a wave in the order of :meth:`order`."""
        place = {plan: number for number, plan in enumerate(self.order())}
        generations = nx.topological_generations(self._starts)
        return tuple(tuple(sorted(wave, key=place.__getitem__)) for wave in generations)

    def order(self, durations: Mapping[str, float] | None = None) -> tuple[PlanId, ...]:
        """The order of starting: topological, then priority, then the longer remaining chain, then id."""
        return self._in_order(durations) if durations else self._usual_order

    @cached_property
    def _usual_order(self) -> tuple[PlanId, ...]:
        return self._in_order(None)

    def _in_order(self, durations: Mapping[str, float] | None) -> tuple[PlanId, ...]:
        remaining = self.remaining(durations)
        waiting = dict(self._starts.in_degree())
        ready = [self._rank(plan, remaining) for plan, count in waiting.items() if not count]
        heapq.heapify(ready)
        found: list[PlanId] = []
        while ready:
            plan = heapq.heappop(ready)[-1]
            found.append(plan)
            for after in self._starts.successors(plan):
                waiting[after] -= 1
                if not waiting[after]:
                    heapq.heappush(ready, self._rank(after, remaining))
        return tuple(found)

    def _rank(self, plan: PlanId, remaining: Mapping[PlanId, float]) -> tuple[float, float, PlanId]:
        return (-self.plans[plan].priority, -remaining[plan], plan)

    def remaining(self, durations: Mapping[str, float] | None = None) -> Mapping[PlanId, float]:
        """For each plan the length of the longest chain that begins with it, in the unit of ``durations``."""
        return {plan: length for plan, (length, _, _) in self._chains(durations or {}).items()}

    def critical_path(self, durations: Mapping[str, float] | None = None) -> tuple[PlanId, ...]:
        """The chain of plans that takes longest; empty for an empty graph.

        ``durations`` are seconds seen before, by plan id; a plan without one counts as their median, and all
        count alike when none is known. Of chains equally long, the one with the higher sum of priorities
        counts, then the one whose ids come first.
        """
        chains = self._chains(durations or {})
        plan = min(chains, key=lambda p: (-chains[p][0], -chains[p][1], p), default=None)
        path: list[PlanId] = []
        while plan is not None:
            path.append(plan)
            plan = chains[plan][2]
        return tuple(path)

    def descendants(self, plan: PlanId) -> frozenset[PlanId]:
        """Every plan that comes after ``plan`` through edges that delay a start, whatever their reason."""
        return frozenset(nx.descendants(self._starts, plan))

    def dependents(self, plan: PlanId) -> frozenset[PlanId]:
        """Every plan that needs ``plan`` to succeed: through dependencies alone, directly or not."""
        needed: nx.DiGraph[PlanId] = nx.DiGraph((e.before, e.after) for e in self.edges if e.requires_success)
        return frozenset(nx.descendants(needed, plan)) if plan in needed else frozenset()

    def _chains(self, durations: Mapping[str, float]) -> dict[PlanId, tuple[float, float, PlanId | None]]:
        """For each plan: length and sum of priorities of its longest chain, and the next plan in it."""
        known = [durations[plan] for plan in self.plans if plan in durations]
        usual = statistics.median(known) if known else 1.0
        chains: dict[PlanId, tuple[float, float, PlanId | None]] = {}
        for plan in reversed(list(nx.topological_sort(self._starts))):
            after = min(
                self._starts.successors(plan), key=lambda p: (-chains[p][0], -chains[p][1], p), default=None
            )
            length, weight, _ = chains[after] if after is not None else (0.0, 0.0, None)
            own = durations.get(plan, usual)
            chains[plan] = (length + own, weight + self.plans[plan].priority, after)
        return chains

    @cached_property
    def _starts(self) -> nx.DiGraph[PlanId]:
        graph: nx.DiGraph[PlanId] = nx.DiGraph()
        graph.add_nodes_from(self.plans)
        graph.add_edges_from((e.before, e.after) for e in self.edges if e.delays_start)
        return graph

    @cached_property
    def _into(self) -> Mapping[PlanId, tuple[Edge, ...]]:
        return _grouped((e.after, e) for e in self.edges)

    @cached_property
    def _from(self) -> Mapping[PlanId, tuple[Edge, ...]]:
        return _grouped((e.before, e) for e in self.edges)


def _grouped(pairs: Iterable[tuple[PlanId, Edge]]) -> Mapping[PlanId, tuple[Edge, ...]]:
    groups: dict[PlanId, list[Edge]] = {}
    for plan, edge in pairs:
        groups.setdefault(plan, []).append(edge)
    return {plan: tuple(edges) for plan, edges in groups.items()}


def build_graph(plans: Sequence[Plan], overlaps: Sequence[Overlap], mode: OverlapMode) -> PlanGraph:
    """Return the graph of ``plans`` (ids distinct), or raise :class:`CycleError` naming a circle in order.

    1. Dependencies give the edges that are certain. Those on plans outside go to ``external``.
    2. Pairs that may not run at once (``conflicts_with``; overlaps of severity high in mode ``serialize``)
       are directed by the order that exists already, then priority, then the longer remaining chain of
       dependencies, then id. Pairs with the highest priorities are directed first.
    3. Pairs of which only the landing is ordered (medium overlaps in ``serialize``: the reader after the
       writer; all overlaps in ``isolate``: by priority) come last, so that they never decide a start, and
       follow whatever order exists by then.

    An overlap with or between plans outside ``plans`` is left out. Mode ``forbid`` gives no overlap edges:
    its caller refuses before it comes to a graph.
    """
    known = {plan.id: plan for plan in sorted(plans, key=lambda p: p.id)}
    certain = [
        Edge(d.plan, plan.id, EdgeReason.DEPENDENCY, d.until, phase=d.phase)
        for plan in known.values()
        for d in plan.dependencies
        if d.plan in known
    ]
    certain = list(dict.fromkeys(certain))
    _require_no_cycle(certain)
    chains = PlanGraph(known, tuple(certain)).remaining()
    added = ordered_pairs(known, certain, overlaps, mode, chains)
    external = {
        plan.id: outside
        for plan in known.values()
        if (outside := tuple(d for d in plan.dependencies if d.plan not in known))
    }
    return PlanGraph(known, tuple(sorted([*certain, *added], key=Edge.sort_key)), external)


def _require_no_cycle(edges: Iterable[Edge]) -> None:
    """Raise :class:`CycleError` for a shortest circle through the first id that lies on any.

    Each id is followed by one that it waits for.
    """
    waits: nx.DiGraph[PlanId] = nx.DiGraph(sorted((e.after, e.before) for e in edges))
    parts = nx.strongly_connected_components(waits)
    start = min((n for part in parts for n in part if len(part) > 1 or waits.has_edge(n, n)), default=None)
    if start is None:
        return
    ways_back = [
        nx.shortest_path(waits, after, start)
        for after in waits.successors(start)
        if nx.has_path(waits, after, start)
    ]
    best = min(ways_back, key=lambda ids: (len(ids), ids))
    raise CycleError((start, *best[:-1]))
