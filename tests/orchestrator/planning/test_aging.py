"""Priorities with aging in the simulator: nobody is passed without end, by whichever policy (S10, L4)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.merging.order import in_order
from orchestrator.planning.model import Rates
from orchestrator.planning.policy import Policy, plan
from orchestrator.simulation.engine import Conditions, Outcome, Simulation
from orchestrator.simulation.oracle import serial
from orchestrator.simulation.report import Setting, compare
from orchestrator.simulation.workload import Change, Recipe, by_age, draw
from tests.support.records import an_entry
from tests.support.slices import seldom

LOW, HIGH = 0, 30
FLOOD = Recipe(changes=150, rate=12.0, priorities=(LOW, HIGH, HIGH, HIGH, HIGH), failure=0.05, even=True)
"""Six times what one slot can check one by one, most of it more urgent than the rest."""


def by_priority_alone(change: Change) -> tuple[float, ...]:
    return (-change.priority, change.sequence)


def most_passed(changes: tuple[Change, ...], outcome: Outcome) -> int:
    """By how many later ones the change was passed that was passed by most."""
    sequence = {change.id: change.sequence for change in changes}
    decided = [sequence[name] for name in outcome.turnaround]
    return max(sum(before > at for before in decided[:n]) for n, at in enumerate(decided))


@pytest.mark.parametrize(
    ("policy", "slots"),
    [
        (Policy.SERIAL, 1),
        (Policy.BATCH, 1),
        (Policy.AUTO, 4),
        *seldom((Policy.PREFIX, 4), (Policy.RANKED, 9)),
    ],
)
def test_s10_l4_aging_bounds_by_how_many_a_change_is_passed(policy: Policy, slots: int) -> None:
    changes = draw(FLOOD, 1)
    conditions = Conditions(slots, Rates(FLOOD.failure))
    outcome = Simulation(changes, lambda view: plan(view, policy), conditions).run()
    assert 0 < most_passed(changes, outcome) <= HIGH - LOW


def test_l4_without_aging_a_change_is_passed_by_all_that_are_more_urgent() -> None:
    """The bound above is that of aging, not one of the recipe."""
    changes = draw(FLOOD, 1)
    conditions = Conditions(1, Rates(FLOOD.failure), order=by_priority_alone)
    outcome = Simulation(changes, lambda view: plan(view, Policy.SERIAL), conditions).run()
    assert most_passed(changes, outcome) > 3 * (HIGH - LOW)


@given(
    st.builds(
        Recipe,
        changes=st.integers(1, 20),
        rate=st.sampled_from([4.0, 60.0]),
        meets=st.sampled_from([1.0, 0.3]),
        breaks=st.sampled_from([0.0, 0.3]),
        failure=st.sampled_from([0.0, 0.3]),
        priorities=st.just((10, 50, 55)),
    ),
    st.sampled_from(list(Policy)),
    st.integers(1, 9),
    st.integers(0, 1 << 30),
)
@settings(max_examples=60)
def test_s10_with_priorities_what_lands_is_what_would_land_in_the_order_of_the_decisions(
    recipe: Recipe, policy: Policy, slots: int, seed: int
) -> None:
    changes = draw(recipe, seed)
    conditions = Conditions(slots, Rates(recipe.failure), seed=seed)
    outcome = Simulation(changes, lambda view: plan(view, policy), conditions).run()
    named = {change.id: change for change in changes}
    assert set(outcome.landed) == serial([named[name] for name in outcome.turnaround])


@pytest.mark.parametrize("policy", list(Policy))
def test_two_that_break_together_do_so_whichever_lands_first(policy: Policy) -> None:
    """The later one names the earlier, is more urgent, and lands: then the earlier one is out."""
    none: frozenset[str] = frozenset()
    early = Change("early", 0, 60, True, none, none, 0.9, 0, priority=10)
    late = Change("late", 0, 60, True, frozenset({"early"}), frozenset({"early"}), 0.9, 1, priority=90)
    outcome = Simulation((early, late), lambda view: plan(view, policy), Conditions(1, Rates())).run()
    assert (outcome.landed, outcome.ejected) == (["late"], ["early"])


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30))
def test_the_order_is_that_of_the_queue(priorities: list[int]) -> None:
    recipe = Recipe(changes=len(priorities))
    changes = draw(recipe, 0)
    named = {
        c.id: Change(c.id, c.arrives, 1, True, c.meets, c.breaks, 0.9, c.sequence, priority)
        for c, priority in zip(changes, priorities, strict=True)
    }
    entries = [an_entry(c.id, sequence=c.sequence, priority=c.priority) for c in named.values()]
    assert [e.id for e in in_order(entries)] == [c.id for c in sorted(named.values(), key=by_age)]


def test_urgent_changes_wait_less_and_no_good_one_is_called_wrongly_out() -> None:
    changes = draw(FLOOD, 2)
    outcome = Simulation(
        changes, lambda view: plan(view, Policy.SERIAL), Conditions(1, Rates(FLOOD.failure))
    ).run()
    waits = {
        priority: [outcome.turnaround[c.id] for c in changes if c.priority == priority]
        for priority in (LOW, HIGH)
    }
    assert sum(waits[HIGH]) / len(waits[HIGH]) < sum(waits[LOW]) / len(waits[LOW])
    (_, row) = compare(Setting(FLOOD, seeds=(2,)), [Policy.SERIAL])
    assert row.wrong == 0
