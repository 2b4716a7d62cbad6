"""`auto`: which policy by slots, entries and failures, and that it brings what the issue wants of it."""

from __future__ import annotations

import pytest

from orchestrator.planning.model import Item, Rates, Snapshot
from orchestrator.planning.policy import Policy, plan
from orchestrator.planning.ranked import plan_ranked
from orchestrator.simulation.report import Setting, compare
from orchestrator.simulation.workload import Recipe
from tests.support.slices import seldom


def view(entries: int, slots: int, failure: float) -> Snapshot:
    return Snapshot(
        items=tuple(Item(f"c{n}", 1 - failure) for n in range(entries)),
        meets=tuple((1 << n) - 1 for n in range(entries)),
        slots=slots,
        rates=Rates(failure),
    )


@pytest.mark.parametrize(
    ("entries", "slots", "failure", "ranked"),
    [
        (4, 4, 0.01, True),  # a slot for each
        (5, 4, 0.01, False),
        (40, 4, 0.05, False),
        (40, 5, 0.05, True),  # a line of batches would stand still too often
        (40, 1, 0.25, False),  # one slot: a line, whatever fails
    ],
)
def test_auto_takes_paths_where_slots_or_failures_are_many(
    entries: int, slots: int, failure: float, *, ranked: bool
) -> None:
    queue = view(entries, slots, failure)
    wanted = plan(queue, Policy.AUTO)
    assert (wanted == plan_ranked(queue)) is ranked


@pytest.mark.parametrize(("slots", "failure"), [(4, 0.01), (16, 0.1), *seldom((4, 0.1), (64, 0.02))])
def test_auto_is_never_much_slower_than_the_better_of_its_two(slots: int, failure: float) -> None:
    recipe = Recipe(changes=120, failure=failure, meets=0.2)
    policies = [Policy.BATCH, Policy.RANKED, Policy.AUTO]
    found = {row.policy: row.p95 for row in compare(Setting(recipe, slots, seeds=(0, 1)), policies)}
    assert found["auto"] <= 1.1 * min(found["batch"], found["ranked"])


@pytest.mark.parametrize(("changes", "seeds"), [(250, (0,)), *seldom((1000, range(5)))])
@pytest.mark.timeout(1800)
def test_auto_with_many_slots_is_near_the_oracle_at_few_checks(changes: int, seeds: range) -> None:
    """The recipe of docs/queue.md: c = .05, 500 changes in an hour, 500 slots."""
    recipe = Recipe(changes, 500, 0.05, 0.0335, 0.1, 0.97)
    oracle, auto = compare(Setting(recipe, 500, seeds=seeds), [Policy.AUTO])
    assert auto.p95 <= 1.5 * oracle.p95
    assert auto.checks <= 5


def test_accidents_reject_hardly_anybody() -> None:
    recipe = Recipe(changes=100, failure=0.01, even=True)
    (_, row) = compare(Setting(recipe, 1, 0.05, range(40)), [Policy.AUTO])
    assert row.wrong <= 0.003


def test_fifteen_at_once_take_less_than_half_of_the_time_of_serial() -> None:
    setting = Setting(Recipe(changes=15, failure=0.05, even=True), seeds=range(40))
    (_, serial, auto) = compare(setting, [Policy.SERIAL, Policy.AUTO])
    assert auto.seconds <= 0.45 * serial.seconds
