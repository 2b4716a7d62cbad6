"""The graph: waves, order, critical path, circles; and directions of overlaps (S2.5, S2.7, S2.9)."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest

from plans.errors import CycleError
from plans.graph import Edge, EdgeReason, PlanGraph, build_graph
from plans.ids import PhaseId, PlanId
from plans.model import Dependency, Plan, Until
from plans.overlap import Kind, Overlap, OverlapSeverity
from plans.project import OverlapMode
from plans.reachability import Reachability

DEPENDENCY, OVERLAP, CONFLICTS = EdgeReason


def plan(name: str, *needs: str | Dependency, priority: float = 50, conflicts: str = "") -> Plan:
    dependencies = tuple(Dependency(PlanId(n)) if isinstance(n, str) else n for n in needs)
    return Plan(
        PlanId(name),
        name,
        Path(f"plans/{name}.md"),
        b"",
        "",
        priority=priority,
        dependencies=dependencies,
        conflicts_with=tuple(PlanId(c) for c in conflicts),
    )


def needs(name: str, until: Until, phase: str | None = None) -> Dependency:
    return Dependency(PlanId(name), until, PhaseId(phase) if phase else None)


def overlap(a: str, b: str, kind: Kind = Kind.WRITE_WRITE, witness: str = "src/a.py") -> Overlap:
    high = kind is Kind.WRITE_WRITE
    severity = OverlapSeverity.HIGH if high else OverlapSeverity.MEDIUM
    return Overlap(PlanId(a), PlanId(b), kind, severity, witness, (witness, witness), (), 0, "sequence")


def graph(
    plans: list[Plan], overlaps: list[Overlap] | None = None, mode: OverlapMode = OverlapMode.SERIALIZE
) -> PlanGraph:
    return build_graph(plans, overlaps or [], mode)


def arrows(found: PlanGraph) -> list[str]:
    return [f"{e.before}{'>' if e.delays_start else '~'}{e.after}" for e in found.edges]


def test_s2_5_dependencies_make_waves_and_edges() -> None:
    found = graph([plan("d", "b", "c"), plan("c", "a"), plan("b", "a"), plan("a")])
    assert found.waves() == (("a",), ("b", "c"), ("d",))
    assert arrows(found) == ["a>b", "a>c", "b>d", "c>d"]
    assert [e.before for e in found.predecessors(PlanId("d"))] == ["b", "c"]
    assert [e.after for e in found.successors(PlanId("a"))] == ["b", "c"]
    assert found.descendants(PlanId("a")) == {"b", "c", "d"}


def test_s2_9_a_phase_of_another_plan_is_an_edge_of_its_own() -> None:
    found = graph([plan("a"), plan("b", needs("a", Until.PHASE, "2"), needs("a", Until.STARTED))])
    assert [(e.until, e.phase, e.lands_after) for e in found.edges] == [
        (Until.PHASE, "2", True),
        (Until.STARTED, None, False),
    ]


def test_a_dependency_outside_the_selection_is_external() -> None:
    found = graph([plan("b", "a", "c"), plan("c")])
    assert found.external == {"b": (Dependency(PlanId("a")),)}
    assert arrows(found) == ["c>b"]


@pytest.mark.parametrize(
    ("plans", "ids"),
    [
        ([plan("a", "a")], ("a",)),
        ([plan("c", "a"), plan("b", "c"), plan("a", "b")], ("a", "b", "c")),
        ([plan("x", "y", "z"), plan("y", "z"), plan("z", "x", "y"), plan("a", "z")], ("x", "z")),
        ([plan("a", needs("b", Until.STARTED)), plan("b", needs("a", Until.PHASE, "1"))], ("a", "b")),
    ],
)
def test_s2_5_a_circle_is_named_in_order(plans: list[Plan], ids: tuple[str, ...]) -> None:
    for shuffled in itertools.permutations(plans):
        with pytest.raises(CycleError) as raised:
            graph(list(shuffled))
        assert raised.value.ids == ids


def test_s2_7_overlapping_plans_are_ordered_per_pair_by_priority() -> None:
    plans = [plan("a", priority=25), plan("b", priority=75), plan("c")]
    found = graph(plans, [overlap("a", "b")])
    assert arrows(found) == ["b>a"]
    assert found.edges[0] == Edge(PlanId("b"), PlanId("a"), OVERLAP, Until.LANDED, "src/a.py")
    assert found.waves() == (("b", "c"), ("a",)), "c overlaps with nobody and waits for nobody"


def test_s2_7_then_the_longer_chain_goes_first_then_the_id() -> None:
    plans = [plan("a"), plan("b"), plan("c", "b"), plan("d")]
    assert "b>a" in arrows(graph(plans, [overlap("a", "b")]))
    assert arrows(graph([plan("d"), plan("a")], [overlap("a", "d")])) == ["a>d"]


def test_s2_7_the_existing_order_comes_before_priority() -> None:
    plans = [plan("a", priority=1), plan("m", needs("a", Until.STARTED)), plan("z", "m", priority=100)]
    found = graph(plans, [overlap("a", "z")])
    assert "a>z" in arrows(found)


def test_an_overlap_of_stacked_plans_orders_the_landing_and_keeps_the_stacking() -> None:
    for asked in (needs("a", Until.FINISHED), needs("a", Until.PHASE, "1")):
        found = graph([plan("a"), plan("b", asked)], [overlap("a", "b")])
        assert [(e.why, e.until) for e in found.edges] == [(DEPENDENCY, asked.until), (OVERLAP, None)]
    started = graph([plan("a"), plan("b", needs("a", Until.STARTED))], [overlap("a", "b")])
    assert [(e.why, e.until) for e in started.edges] == [
        (DEPENDENCY, Until.STARTED),
        (OVERLAP, Until.LANDED),
    ]


def test_a_reader_lands_after_the_writer_and_starts_when_it_likes() -> None:
    plans = [plan("r", priority=100), plan("w")]
    for medium in (overlap("r", "w", Kind.READ_WRITE), overlap("w", "r", Kind.WRITE_READ)):
        found = graph(plans, [medium])
        assert arrows(found) == ["w~r"]
        assert found.waves() == (("r", "w"),)
        assert found.order() == ("r", "w")
    both = [overlap("r", "w", Kind.READ_WRITE), overlap("r", "w", Kind.WRITE_READ)]
    assert arrows(graph(plans, both)) == ["r~w"], "each reads what the other writes: priority decides"


def test_landing_order_follows_the_order_of_starting() -> None:
    plans = [plan("r"), plan("w", "r")]
    assert arrows(graph(plans, [overlap("r", "w", Kind.READ_WRITE)])) == ["r>w", "r~w"]


def test_landing_order_never_turns_a_start_around() -> None:
    plans = [plan("r", priority=75), plan("w", priority=50)]
    overlaps = [overlap("r", "w", Kind.READ_WRITE), overlap("r", "w")]
    assert arrows(graph(plans, overlaps)) == ["r>w"]


def test_isolate_orders_only_landings_by_priority() -> None:
    plans = [plan("a", priority=1), plan("b", priority=9), plan("c", priority=5)]
    found = graph(plans, [overlap("a", "b"), overlap("a", "c", Kind.WRITE_READ)], OverlapMode.ISOLATE)
    assert arrows(found) == ["b~a", "c~a"]
    assert len(found.waves()) == 1


def test_forbid_leaves_overlaps_to_its_caller() -> None:
    assert graph([plan("a"), plan("b")], [overlap("a", "b")], OverlapMode.FORBID).edges == ()


@pytest.mark.parametrize("mode", list(OverlapMode))
def test_conflicts_with_keeps_two_plans_apart_in_every_mode(mode: OverlapMode) -> None:
    found = graph([plan("a", conflicts="b"), plan("b", conflicts="ax", priority=60)], [], mode)
    assert found.edges == (Edge(PlanId("b"), PlanId("a"), CONFLICTS, Until.LANDED),)
    assert not found.edges[0].requires_success


def test_only_dependencies_are_dragged_down_by_a_failure() -> None:
    plans = [plan("a"), plan("b", "a"), plan("c", "b"), plan("d", conflicts="a")]
    found = graph(plans)
    assert found.dependents(PlanId("a")) == {"b", "c"}
    assert found.descendants(PlanId("a")) == {"b", "c", "d"}
    assert found.dependents(PlanId("d")) == set()


def test_s2_9_order_is_by_priority_then_chain_then_id() -> None:
    plans = [plan("a"), plan("b"), plan("c", "b"), plan("u", priority=100), plan("v", "a", priority=75)]
    assert graph(plans).order() == ("u", "a", "v", "b", "c")


def test_critical_path_counts_durations_and_a_median_for_the_unknown() -> None:
    plans = [plan("a"), plan("b", "a"), plan("c", "b"), plan("x"), plan("y", "x")]
    found = graph(plans)
    assert found.critical_path() == ("a", "b", "c")
    assert found.critical_path({"x": 10, "y": 10, "a": 1, "b": 1, "c": 1}) == ("x", "y")
    assert found.critical_path({"x": 10}) == ("a", "b", "c"), "what was never seen counts as the median"
    assert found.order({"x": 10, "y": 10, "a": 1, "b": 1, "c": 1})[0] == "x"


def test_critical_path_prefers_priority_among_equals() -> None:
    plans = [plan("a"), plan("b", "a"), plan("x"), plan("y", "x", priority=75)]
    assert graph(plans).critical_path() == ("x", "y")


def test_an_empty_selection_is_an_empty_graph() -> None:
    found = graph([])
    assert (found.waves(), found.order(), found.critical_path(), found.edges) == ((), (), (), ())


def _random_case(seed: int) -> tuple[list[Plan], list[Overlap]]:
    draw = random.Random(seed)
    names = [f"p{n}" for n in range(draw.randint(2, 9))]
    plans = []
    for number, name in enumerate(names):
        dependencies = [
            Dependency(PlanId(other), draw.choice([Until.LANDED, Until.FINISHED, Until.STARTED]))
            for other in names[:number]
            if draw.random() < 0.2
        ]
        rivals = tuple(PlanId(n) for n in names if n != name and draw.random() < 0.1)
        made = plan(name, *dependencies, priority=draw.choice([25, 50, 75]))
        plans.append(Plan(**{**{f: getattr(made, f) for f in made.__slots__}, "conflicts_with": rivals}))
    overlaps = [
        overlap(a, b, draw.choice(list(Kind)))
        for a, b in itertools.combinations(names, 2)
        if draw.random() < 0.5
    ]
    return plans, overlaps


@pytest.mark.parametrize("mode", list(OverlapMode))
def test_random_graphs_have_no_circle_and_do_not_depend_on_the_order_of_input(mode: OverlapMode) -> None:
    for seed in range(200):
        plans, overlaps = _random_case(seed)
        found = graph(plans, overlaps, mode)
        draw = random.Random(seed)
        again = graph(draw.sample(plans, len(plans)), draw.sample(overlaps, len(overlaps)), mode)
        assert again.edges == found.edges
        assert again.order() == found.order()
        assert again.critical_path() == found.critical_path()
        together = Reachability(found.plans)
        for edge in found.edges:  # a ValueError here is a circle, landing order included
            together.add(edge.before, edge.after)
        place = {name: number for number, wave in enumerate(found.waves()) for name in wave}
        ranks = {name: number for number, name in enumerate(found.order())}
        for edge in found.edges:
            if edge.delays_start:
                assert place[edge.before] < place[edge.after]
                assert ranks[edge.before] < ranks[edge.after]
        if mode is OverlapMode.SERIALIZE:
            for o in overlaps:
                met = {o.a, o.b}
                assert any({e.before, e.after} == met and e.why is OVERLAP for e in found.edges)


def test_reachability_refuses_a_circle_and_agrees_with_a_plain_search() -> None:
    draw = random.Random(7)
    names = [f"n{n}" for n in range(30)]
    order, edges = Reachability(names), set()
    for _ in range(300):
        a, b = draw.choice(names), draw.choice(names)
        if a == b or _path(edges, b, a):
            with pytest.raises(ValueError, match="circle"):
                order.add(a, b)
        else:
            order.add(a, b)
            edges.add((a, b))
    for a, b in itertools.product(names, names):
        assert order.comes_before(a, b) == (a != b and _path(edges, a, b))


def _path(edges: set[tuple[str, str]], start: str, end: str) -> bool:
    seen, todo = set(), [start]
    while todo:
        node = todo.pop()
        if node == end:
            return True
        if node not in seen:
            seen.add(node)
            todo += [b for a, b in edges if a == node]
    return False


def test_only_the_graph_costs_networkx() -> None:
    code = "import sys, plans.edges, plans.ordering, plans.overlap; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
