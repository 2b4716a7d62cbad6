"""Drift, argv of commands, and what a plan's stages are: the pure parts."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.scheduling.commands import argv_of, stages
from orchestrator.scheduling.drift import Means, find_drift
from plans.folding import Folding
from plans.ids import PhaseId, PlanId
from plans.model import Phase, Run
from plans.patterns import PatternSet
from plans.project import Enforce
from tests.support.views import a_plan

OTHERS = {PlanId("b"): PatternSet.parse(["b/**"])}


@pytest.mark.parametrize(
    ("enforce", "changed", "refused"),
    [
        (Enforce.COLLISIONS, ["a/x"], ""),
        (Enforce.COLLISIONS, ["else"], ""),
        (Enforce.COLLISIONS, ["else", "b/y"], "changed b/y, which b declared"),
        (Enforce.STRICT, ["a/x", "else"], "changed else, which its manifest does not name"),
        (Enforce.STRICT, ["b/y"], "changed b/y, which b declared"),
        (Enforce.OFF, ["b/y", "else"], ""),
    ],
)
def test_what_is_refused(enforce: Enforce, changed: list[str], refused: str) -> None:
    drift = find_drift(a_plan("a", write=["a/**"]), changed, OTHERS, enforce)
    assert drift.refused == refused
    assert drift.outside == tuple(p for p in changed if not p.startswith("a/"))


def test_a_plan_without_a_manifest_drifts_nowhere_and_collides_all_the_same() -> None:
    drift = find_drift(a_plan("a"), ["x", "b/y"], OTHERS, Enforce.STRICT)
    assert drift.outside == ()
    assert drift.collisions == (("b/y", PlanId("b")),)
    assert drift.refused == "changed b/y, which b declared"


def test_a_plans_own_file_is_its_own() -> None:
    drift = find_drift(a_plan("a", write=["a/**"]), ["plans/a.md"], {}, Enforce.STRICT)
    assert not drift.refused


def test_phases_with_a_command_come_first_and_the_plans_own_last() -> None:
    phases = (Phase(PhaseId("1"), run=Run("one")), Phase(PhaseId("2")), Phase(PhaseId("3"), run=Run("three")))
    chain = stages(a_plan("a", phases=phases, run=Run("all")))
    assert [(s.phase, s.run.command) for s in chain] == [("1", "one"), ("3", "three"), (None, "all")]
    assert stages(a_plan("a", phases=(Phase(PhaseId("2")),))) == ()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("agent -p {prompt}", ("agent", "-p", "a {plan} $(b)")),
        ("agent --plan={plan} -p", ("agent", "--plan=a", "-p", "a {plan} $(b)")),
        ("agent '{worktree} {plan_file}' {prompt} {other}", ("agent", "/w /w/f", "a {plan} $(b)", "{other}")),
    ],
)
def test_templates_are_filled_after_they_were_split(template: str, expected: tuple[str, ...]) -> None:
    plan = a_plan("a", run=Run(agent="it", prompt="a {plan} $(b)"))
    places = {"worktree": "/w", "plan_file": "/w/f"}
    assert argv_of(stages(plan)[0], plan, {"it": template}, places) == expected


def test_an_agent_without_a_prompt_is_told_to_carry_out_the_plan() -> None:
    plan = a_plan("a", run=Run(agent="it"))
    argv = argv_of(stages(plan)[0], plan, {"it": "agent"}, {"plan_file": "/w/f"})
    assert argv == ("agent", "Carry out the plan in /w/f.")


def test_an_unknown_agent_is_an_error() -> None:
    plan = a_plan("a", run=Run(agent="who"))
    with pytest.raises(UsageError, match="there is no agent 'who'"):
        argv_of(stages(plan)[0], plan, {}, {})


def test_drift_is_judged_without_case_where_case_does_not_count() -> None:
    mine, others = a_plan("a", write=["SRC/*"]), {PlanId("b"): PatternSet.parse(["Lib/*"])}
    loose = Means(folding=Folding(ignore_case=True))
    found = find_drift(mine, ["src/X", "lib/y"], others, Enforce.COLLISIONS, loose)
    assert (found.outside, found.collisions) == (("lib/y",), (("lib/y", "b"),))
    found = find_drift(mine, ["src/X", "lib/y"], others, Enforce.COLLISIONS)
    assert (found.outside, found.collisions) == (("src/X", "lib/y"), ())
