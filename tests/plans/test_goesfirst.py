"""Who of two plans that overlap goes first, and why: the rules of the graph, said."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from plans.errors import CycleError
from plans.goesfirst import goes_first
from plans.graph import build_graph
from plans.ids import PlanId
from plans.model import Dependency, Manifest, Plan
from plans.overlap import find_overlaps
from plans.patterns import PatternSet
from plans.project import OverlapMode

SERIALIZE, ISOLATE = OverlapMode.SERIALIZE, OverlapMode.ISOLATE


def plan(name: str, after: tuple[str, ...] = (), read: tuple[str, ...] = (), **fields: Any) -> Plan:
    write = fields.pop("write", ("x",))
    manifest = Manifest(PatternSet.parse(list(write)), PatternSet.parse(list(read)))
    needs = tuple(Dependency(PlanId(other)) for other in after)
    path = Path(f"plans/{name}.md")
    return Plan(PlanId(name), name, path, b"", "", manifest=manifest, dependencies=needs, **fields)


def first(*plans: Plan, mode: OverlapMode = SERIALIZE) -> tuple[str, bool, str]:
    """Of the only pair that overlaps among ``a`` and ``b``."""
    found = goes_first(plans, find_overlaps(plans).overlaps, mode)
    return tuple(found[PlanId("a"), PlanId("b")])


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        ([plan("a"), plan("b")], ("a", True, "its id comes first")),
        ([plan("a"), plan("b", priority=80.0)], ("b", True, "its priority is higher")),
        ([plan("a", after=("b",), priority=90.0), plan("b")], ("b", True, "a depends on it")),
        ([plan("a"), plan("b"), plan("c", after=("b",), write=())], ("b", True, "more depends on it")),
        ([plan("a", read=("y",)), plan("b", write=("y",))], ("b", False, "a reads what it writes")),
        (
            [plan("a"), plan("b"), plan("m", after=("b",), write=()), plan("a2", after=("m",), write=())],
            ("b", True, "more depends on it"),
        ),
    ],
)
def test_the_rule_that_decides_is_the_one_that_is_said(
    plans: list[Plan], expected: tuple[str, bool, str]
) -> None:
    assert first(*plans) == expected


def test_isolated_plans_only_land_in_order_and_forbidden_ones_have_none() -> None:
    plans = (plan("a"), plan("b"))
    assert first(*plans, mode=ISOLATE) == ("a", False, "its id comes first")
    assert goes_first(plans, find_overlaps(plans).overlaps, OverlapMode.FORBID) == {}


def test_a_circle_is_the_callers_to_tell() -> None:
    plans = (plan("a", after=("b",)), plan("b", after=("a",)))
    with pytest.raises(CycleError):
        goes_first(plans, find_overlaps(plans).overlaps, SERIALIZE)


def test_what_is_said_agrees_with_the_graph_on_random_plans() -> None:
    rng = random.Random(5)
    reasons = set()
    for _ in range(150):
        names = [f"p{n}" for n in range(rng.randint(2, 7))]
        plans = tuple(
            plan(
                name,
                after=tuple(rng.sample(names[:n], min(n, rng.randint(0, 1)))),
                write=tuple(rng.sample("uvwxyz", 2)),
                read=tuple(rng.sample("uvwxyz", 1)),
                priority=float(rng.choice((10, 50))),
            )
            for n, name in enumerate(names)
        )
        overlaps = find_overlaps(plans).overlaps
        mode = rng.choice((SERIALIZE, ISOLATE))
        edges = {(e.before, e.after) for e in build_graph(plans, overlaps, mode).edges}
        found = goes_first(plans, overlaps, mode)
        assert found.keys() == {(o.a, o.b) for o in overlaps}
        for (a, b), said in found.items():
            assert (said.plan, b if said.plan == a else a) in edges
            reasons.add(said.why.replace(a, "…").replace(b, "…"))
    assert len(reasons) == 6, "each rule decides somewhere"
