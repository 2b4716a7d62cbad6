"""The planner against the serial oracle: by each policy the same lands, and the queue drains (L1 to L4)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.planning.model import Rates, Snapshot, Stack, Wanted
from orchestrator.planning.policy import Policy, plan
from orchestrator.simulation.engine import Conditions, Simulation
from orchestrator.simulation.oracle import serial, turnarounds
from orchestrator.simulation.report import Setting, compare
from orchestrator.simulation.workload import Recipe, draw
from tests.support.slices import seldom

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPES = st.builds(
    Recipe,
    changes=st.integers(1, 24),
    rate=st.sampled_from([inf, 4.0, 60.0]),
    meets=st.sampled_from([1.0, 0.5, 0.1]),
    breaks=st.sampled_from([0.0, 0.05, 0.3]),
    failure=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    told=st.sampled_from([None, 0.97, 0.6]),
)


@given(RECIPES, st.sampled_from(list(Policy)), st.integers(1, 9), st.integers(0, 1 << 30))
@example(Recipe(6, 60.0, 0.5, 0.05, 0.0, 0.6), Policy.AUTO, 5, 11)  # one stack at work twice, then halved
def test_s10_l3_what_lands_is_what_would_land_serially(
    recipe: Recipe, policy: Policy, slots: int, seed: int
) -> None:
    changes = draw(recipe, seed)
    conditions = Conditions(slots, Rates(recipe.failure), seed=seed)
    outcome = Simulation(changes, lambda view: plan(view, policy), conditions).run()
    assert set(outcome.landed) == serial(changes)
    assert len(outcome.landed) == len(set(outcome.landed))
    assert set(outcome.landed) | set(outcome.ejected) == {change.id for change in changes}


@given(RECIPES, st.sampled_from(list(Policy)), st.integers(1, 9), st.integers(0, 1 << 30))
@example(Recipe(6, inf, 1.0, 0.0, 0.0), Policy.PREFIX, 6, 186674)  # one that passed, on one that was stopped
@settings(max_examples=50)
def test_l1_with_accidents_all_are_decided_and_nothing_red_lands(
    recipe: Recipe, policy: Policy, slots: int, seed: int
) -> None:
    """The engine refuses a landing that is red, more checks than slots, and a queue that stands still."""
    changes = draw(recipe, seed)
    conditions = Conditions(slots, Rates(recipe.failure, 0.1), flake=0.1, seed=seed)
    outcome = Simulation(changes, lambda view: plan(view, policy), conditions).run()
    assert len(outcome.turnaround) == len(changes)


@pytest.mark.parametrize("wrong", ["lands-untested", "ejects-at-once"])
def test_a_wrong_planner_is_found_out(wrong: str) -> None:
    """The simulator's own guards: without this the tests above could be empty."""

    def lands(view: Snapshot) -> Wanted:
        return Wanted(land=Stack((), (view.items[0].id,))) if view.items else Wanted()

    def ejects(view: Snapshot) -> Wanted:
        return Wanted(eject=view.items[0].id) if view.items else Wanted()

    planner: Callable[[Snapshot], Wanted] = {"lands-untested": lands, "ejects-at-once": ejects}[wrong]
    changes = draw(Recipe(changes=20, rate=inf, failure=0.5), 1)
    simulation = Simulation(changes, planner, Conditions(1, Rates()))
    if wrong == "lands-untested":
        with pytest.raises(AssertionError, match="landed what is red"):
            simulation.run()
    else:
        assert set(simulation.run().landed) != serial(changes)


def test_a_planner_that_wants_nothing_is_found_out() -> None:
    with pytest.raises(AssertionError, match="never decided"):
        Simulation(draw(Recipe(changes=2, rate=inf), 0), lambda _: Wanted(), Conditions(1, Rates())).run()


def test_the_oracle_needs_one_check_for_each_and_waits_for_slots() -> None:
    changes = draw(Recipe(changes=4, rate=inf, failure=0.0, even=True), 0)
    assert list(turnarounds(changes, 2).values()) == [1800, 1800, 3600, 3600]


@pytest.mark.parametrize("policy", [Policy.BATCH, *seldom(Policy.AUTO)])
@pytest.mark.parametrize(("failure", "most"), [(0.01, 0.20), (0.05, 0.50), (0.10, 0.75)])
def test_one_slot_needs_few_checks_for_each_that_lands(policy: Policy, failure: float, most: float) -> None:
    recipe = Recipe(changes=100, rate=inf, failure=failure, even=True)
    (_, row) = compare(Setting(recipe, seeds=range(5)), [policy])
    assert row.per_landed <= most
