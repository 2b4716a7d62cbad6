"""Ranked speculation: which paths are looked at, in which order, and how many of them."""

from __future__ import annotations

from itertools import combinations, islice
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.chances import chances
from orchestrator.planning.model import Item, Known, Snapshot, Stack
from orchestrator.planning.paths import cheapest_sets
from orchestrator.planning.ranked import plan_ranked


def view(**changes: object) -> Snapshot:
    """a, b on a, and c, which is independent of both."""
    found = {"items": (Item("a", 0.9), Item("b", 0.9), Item("c", 0.9)), "meets": (0, 1, 0), "slots": 9}
    return Snapshot(**{**found, **changes})  # type: ignore[arg-type]


A, B, C = Stack((), ("a",)), Stack(("a",), ("b",)), Stack((), ("c",))
B_ALONE = Stack((), ("b",))


def test_the_surest_paths_come_first() -> None:
    assert plan_ranked(view(), threshold=0.01).checks == (A, C, B, B_ALONE)


def test_a_path_that_will_hardly_be_needed_is_not_checked() -> None:
    assert plan_ranked(view(), threshold=0.15).checks == (A, C, B)


def test_slots_bound_the_checks() -> None:
    assert plan_ranked(view(slots=2)).checks == (A, C)


def test_one_that_is_at_work_keeps_its_slot() -> None:
    assert plan_ranked(view(slots=2, running=(B,))).checks == (B, A)


SURER = (Item("a", 0.97), Item("b", 0.9), Item("c", 0.9))


def test_one_that_will_hardly_be_needed_gives_its_slot_to_another_and_only_then() -> None:
    assert plan_ranked(view(items=SURER, slots=1, running=(B_ALONE,))).checks == (A,)
    assert plan_ranked(view(items=SURER, slots=4, running=(B_ALONE,))).checks == (B_ALONE, A, C, B)
    assert plan_ranked(view(items=SURER, slots=2, running=(B_ALONE, A))).checks == (A, C)


def test_one_at_work_on_top_of_what_was_put_behind_it_is_refuted() -> None:
    """b was lifted above a, which it meets: its check without a is the one that decides."""
    lifted = view(items=(Item("b", 0.9), Item("a", 0.9), Item("c", 0.9)), slots=1, running=(B,))
    assert plan_ranked(lifted).checks == (B_ALONE,)
    behind = Stack(("a", "b"), ("c",))
    turned = view(items=(Item("b"), Item("a"), Item("c")), meets=(0, 1, 3), slots=1, running=(behind,))
    assert plan_ranked(turned).checks == (behind,), "of c the same is asked in either order"


def test_one_that_may_well_be_needed_is_not_stopped_for_a_surer_one() -> None:
    assert plan_ranked(view(slots=1, running=(B_ALONE,))).checks == (B_ALONE,)


def test_one_at_work_whose_stack_has_passed_meanwhile_is_stopped() -> None:
    assert B not in plan_ranked(view(running=(B, A), known={B: Known(passed=1)})).checks


BAD = (Item("a", 0.03), Item("b", 0.9), Item("c", 0.9))


def test_s12_what_will_most_likely_fail_has_both_its_tries_at_once_where_that_can_be() -> None:
    assert plan_ranked(view(items=BAD)).checks == (A, C, B_ALONE)
    assert plan_ranked(view(items=BAD, twice=True)).checks == (A, C, B_ALONE, A)
    assert plan_ranked(view(items=BAD, twice=True, running=(A,))).checks == (A, C, B_ALONE, A)
    assert plan_ranked(view(items=BAD, twice=True, running=(A, A))).checks == (A, A, C, B_ALONE)


def test_s12_there_are_never_more_than_two_tries() -> None:
    red = {A: Known(failed=1)}
    assert plan_ranked(view(items=BAD, twice=True, known=red)).checks.count(A) == 1
    assert plan_ranked(view(items=BAD, twice=True, known=red, running=(A,))).checks.count(A) == 1


def test_second_tries_come_after_the_first_tries_of_others() -> None:
    assert plan_ranked(view(items=BAD, twice=True, slots=3)).checks == (A, C, B_ALONE)


def test_lanes_an_independent_entry_lands_before_those_ahead_of_it() -> None:
    assert plan_ranked(view(known={C: Known(passed=1)})).land == C


def test_without_speculation_an_entry_waits_for_those_it_meets() -> None:
    assert plan_ranked(view(), threshold=1.0).checks == (A, C)


def test_a_red_check_turns_the_paths_behind_it() -> None:
    checks = plan_ranked(view(known={A: Known(failed=1)}, slots=3)).checks
    assert checks == (A, C, B_ALONE)


def test_s12_what_is_red_on_what_has_not_landed_is_not_out() -> None:
    assert plan_ranked(view(known={B: Known(failed=2)})).eject is None
    assert plan_ranked(view(known={A: Known(failed=2)})).eject == "a"


def test_s10_nothing_is_checked_without_what_it_depends_on() -> None:
    """b needs a, which is most likely out: no path of b leaves a out."""
    checks = plan_ranked(view(needs=(0, 1, 0), known={A: Known(failed=1)}), threshold=0.01).checks
    assert B_ALONE not in checks


def test_known_paths_count_by_their_probability() -> None:
    found = chances(view(known={A: Known(passed=1), B: Known(failed=2)}))
    assert found.lands[0] > 0.99
    assert found.lands[1] < 0.05
    assert found.lands[2] == pytest.approx(0.9, abs=0.01)


def test_a_check_on_another_path_moves_the_estimate_and_does_not_decide_it() -> None:
    untold = chances(view()).lands[1]
    red = chances(view(known={B_ALONE: Known(failed=1)})).lands[1]
    green = chances(view(known={B_ALONE: Known(passed=1)})).lands[1]
    assert 0.3 < red < 0.7 < untold < 0.95 < green < 0.999


@given(st.lists(st.floats(0.5, 0.999), min_size=1, max_size=6))
def test_sets_of_flips_come_cheapest_first_and_all_of_them(likely: list[float]) -> None:
    """Held against all subsets, sorted."""
    flips = sorted((log(p / (1 - p)), 1 << n) for n, p in enumerate(likely))
    found = list(cheapest_sets(flips))
    every = [
        (sum(c for c, _ in some), sum(b for _, b in some))
        for size in range(1, len(flips) + 1)
        for some in combinations(flips, size)
    ]
    assert sorted(bits for _, bits in found) == sorted(bits for _, bits in every)
    assert [cost for cost, _ in found] == pytest.approx(sorted(cost for cost, _ in every))


def test_of_a_million_paths_only_those_asked_for_are_made() -> None:
    flips = [(0.1 * n, 1 << n) for n in range(1, 60)]
    costs = [cost for cost, _ in islice(cheapest_sets(flips), 100)]
    assert costs == sorted(costs)
    assert exp(-costs[0]) == pytest.approx(exp(-0.1))
