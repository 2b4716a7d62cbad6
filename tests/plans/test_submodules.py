"""A path inside a submodule is a change of the submodule."""

from __future__ import annotations

import pytest

from plans.ids import PhaseId
from plans.model import Manifest, Phase
from plans.overlap import find_overlaps
from plans.patterns import PatternSet
from plans.submodules import with_submodules
from tests.support.views import a_plan


@pytest.mark.parametrize(
    ("patterns", "more"),
    [
        (["lib/sub/f"], ["lib/sub"]),
        (["lib/sub/"], ["lib/sub"]),
        (["*/*/f.c"], ["lib/sub"]),
        (["lib/sub/**", "!lib/sub/doc/**"], ["lib/sub"]),
        (["lib/sub/doc/x", "!lib/**/doc/**"], []),
        (["lib/sub"], []),
        (["**"], []),
        (["lib/subs/f", "li"], []),
        (["*.c"], []),
    ],
)
def test_patterns_that_reach_into_a_submodule_name_it(patterns: list[str], more: list[str]) -> None:
    plan = with_submodules(a_plan("a", write=patterns), ["lib/sub", "odd\\name"])
    assert plan.manifest is not None
    assert list(plan.manifest.write.texts) == patterns + more


def test_two_plans_inside_one_submodule_meet_in_it() -> None:
    plans = [with_submodules(a_plan(n, write=[f"sub/{n}"]), ["sub"]) for n in ("a", "b")]
    (overlap,) = find_overlaps(plans, ("README.md", "sub")).overlaps
    assert (overlap.witness, overlap.files, overlap.patterns) == ("sub", ("sub",), ("sub", "sub"))


def test_reading_and_phases_count_the_same_and_an_unknown_plan_stays_unknown() -> None:
    phase = Phase(PhaseId("1"), manifest=Manifest(PatternSet.parse(["sub/x"])))
    plan = with_submodules(a_plan("a", read=["sub/x"], phases=(phase,)), ["sub"])
    assert plan.manifest is not None
    assert plan.manifest.read.texts == ("sub/x", "sub")
    assert plan.phases[0].manifest == Manifest(PatternSet.parse(["sub/x", "sub"]))
    assert with_submodules(a_plan("b"), ["sub"]).manifest is None
