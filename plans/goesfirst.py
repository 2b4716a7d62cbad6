"""Who of two plans that overlap goes first, and by which of the rules of ``build_graph``.

Imports networkx by the graph: imported where it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from plans.advice import OverlapSeverity
from plans.edges import Edge, EdgeReason
from plans.graph import PlanGraph, build_graph
from plans.model import Until
from plans.project import OverlapMode
from plans.reachability import Reachability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from plans.ids import PlanId
    from plans.model import Plan
    from plans.overlap import Overlap

    Pair: TypeAlias = tuple[PlanId, PlanId]


class GoesFirst(NamedTuple):
    """The plan that goes first, whether the other even starts after it, and why."""

    plan: PlanId
    delays: bool
    why: str


def goes_first(
    plans: Sequence[Plan], overlaps: Sequence[Overlap], mode: OverlapMode
) -> Mapping[Pair, GoesFirst]:
    """By pair as overlaps name it, ``a < b``; nothing in mode ``forbid``. Raises :class:`CycleError`."""
    graph = build_graph(plans, overlaps, mode)
    certain = tuple(edge for edge in graph.edges if edge.why is EdgeReason.DEPENDENCY)
    order = Reachability(graph.plans)
    for edge in certain:
        order.add(edge.before, edge.after)
    chains = PlanGraph(graph.plans, certain).remaining()
    both_write = {(o.a, o.b) for o in overlaps if o.severity is OverlapSeverity.HIGH}
    found: dict[Pair, GoesFirst] = {}
    for edge in graph.edges:
        if edge.why is not EdgeReason.OVERLAP:
            continue
        pair = _pair(edge)
        reads = mode is OverlapMode.SERIALIZE and pair not in both_write
        why = _why(edge, graph.plans, order, chains, reads=reads)
        waits = edge.until is Until.LANDED or order.comes_before(edge.before, edge.after)
        found[pair] = GoesFirst(edge.before, waits, why)
    return found


def _pair(edge: Edge) -> Pair:
    return (min(edge.before, edge.after), max(edge.before, edge.after))


def _why(
    edge: Edge,
    plans: Mapping[PlanId, Plan],
    order: Reachability,
    chains: Mapping[PlanId, float],
    *,
    reads: bool,
) -> str:
    """The first rule that gives this direction; where none does, the orders of other pairs do together."""
    before, after = edge.before, edge.after
    if order.comes_before(before, after):
        return f"{after} depends on it"
    if reads:
        return f"{after} reads what it writes"
    for one, other, why in (
        (plans[before].priority, plans[after].priority, "its priority is higher"),
        (chains[before], chains[after], "more depends on it"),
    ):
        if one != other:
            return why if one > other else "so the order of other pairs has it"
    return "its id comes first" if before < after else "so the order of other pairs has it"
