"""Batches, bisection and prefix speculation, told step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.planning.cost import batch_size, checks_for_each
from orchestrator.planning.model import Item, Known, Rates, Snapshot, Stack, Wanted
from orchestrator.planning.units import plan_line

if TYPE_CHECKING:
    from collections.abc import Mapping


RATES = Rates()


def line(
    text: str,
    known: Mapping[str, Known] | None = None,
    running: tuple[str, ...] = (),
    slots: int = 1,
    rates: Rates = RATES,
) -> Snapshot:
    """One letter, one entry; all meet all. A stack is written ``ab`` or, with what it assumes, ``ab>cd``."""
    return Snapshot(
        items=tuple(Item(letter) for letter in text),
        meets=tuple((1 << number) - 1 for number in range(len(text))),
        known={stack(name): was for name, was in (known or {}).items()},
        running=tuple(map(stack, running)),
        slots=slots,
        rates=rates,
    )


def stack(text: str) -> Stack:
    assumed, _, tested = text.rpartition(">")
    return Stack(tuple(assumed), tuple(tested))


def shown(wanted: Wanted) -> list[str]:
    return [">".join(filter(None, ("".join(s.assumed), "".join(s.tested)))) for s in wanted.checks]


PASSED = Known(passed=1)
FAILED = Known(failed=1)


def test_an_empty_queue_wants_nothing() -> None:
    assert plan_line(line(""), 4, 4) == Wanted()


def test_one_batch_at_a_time_on_one_slot() -> None:
    assert shown(plan_line(line("abcdef"), 4, 1)) == ["abcd"]


def test_a_batch_at_work_keeps_its_composition_when_others_come() -> None:
    assert shown(plan_line(line("abcdef", running=("ab",)), 4, 1)) == ["ab"]


def test_s5_a_green_batch_lands_whole() -> None:
    assert plan_line(line("abcdef", {"abcd": PASSED}), 4, 1).land == stack("abcd")


def test_batches_stand_on_those_before_them() -> None:
    assert shown(plan_line(line("abcdef", slots=3), 2, 3)) == ["ab", "ab>cd", "abcd>ef"]


def test_a_speculation_that_passed_waits_for_what_it_stands_on() -> None:
    wanted = plan_line(line("abcdef", {"ab>cd": PASSED}, running=("ab",), slots=2), 2, 3)
    assert wanted.land is None
    assert shown(wanted) == ["ab", "abcd>ef"]


def test_what_a_speculation_that_passed_stands_on_is_checked_anew_where_nothing_speaks_of_it() -> None:
    passed = {"ab>c": Known(passed=1)}
    assert plan_line(line("abcd", passed, slots=9), 1, 9).checks == (stack("a"), stack("a>b"), stack("abc>d"))
    assert plan_line(line("abcd", passed, slots=1), 4, 1).checks == (stack("ab"),)
    assert plan_line(line("abcd", passed, ("a>b",), slots=9), 1, 2).checks == (stack("a>b"), stack("a"))


def test_the_window_bounds_how_many_units_are_under_way() -> None:
    assert shown(plan_line(line("abcdef", slots=9), 1, 2)) == ["a", "a>b"]


def test_a_red_batch_is_split_in_the_middle() -> None:
    assert shown(plan_line(line("abcdefgh", {"abcdefgh": FAILED}), 8, 1)) == ["abcd"]


def test_several_prefixes_of_a_red_batch_are_checked_at_once() -> None:
    """Each contains those before it: two halves on one base are never both checked."""
    assert shown(plan_line(line("abcdefgh", {"abcdefgh": FAILED}, slots=3), 8, 3)) == ["abcd", "ab", "abcdef"]


def test_what_is_at_work_inside_a_red_batch_is_not_stopped_and_what_is_beyond_is() -> None:
    view = line("abcdefghij", {"abcdefgh": FAILED}, running=("abc", "abcdefgh>ij"), slots=2)
    assert shown(plan_line(view, 8, 2)) == ["abc", "abcde"]


def test_the_smaller_red_prefix_is_split_further() -> None:
    assert shown(plan_line(line("abcdefgh", {"abcdefgh": FAILED, "abcd": FAILED}), 8, 1)) == ["ab"]


def test_s12_a_single_red_entry_is_tried_once_more_then_out() -> None:
    assert shown(plan_line(line("ab", {"a": FAILED}), 2, 1)) == ["a"]
    assert plan_line(line("ab", {"a": Known(failed=2)}), 2, 1).eject == "a"


def test_s12_red_behind_others_ejects_nobody() -> None:
    wanted = plan_line(line("ab", {"a>b": Known(failed=2)}), 1, 1)
    assert wanted.eject is None
    assert shown(wanted) == ["a"]


def test_an_entry_that_passes_after_a_red_check_lands() -> None:
    assert plan_line(line("ab", {"a": Known(passed=1, failed=1)}), 1, 1).land == stack("a")


def test_where_accidents_are_likely_a_red_batch_is_tried_again_first() -> None:
    flaky = Rates(failure=0.001, flake=0.2)
    assert shown(plan_line(line("abcd", {"abcd": FAILED}, rates=flaky), 4, 1)) == ["abcd"]
    assert shown(plan_line(line("abcd", {"abcd": Known(failed=2)}, rates=flaky), 4, 1)) == ["ab"]
    assert shown(plan_line(line("abcd", {"abcd": FAILED, "ab": FAILED}, rates=flaky), 4, 1)) == ["a"]


@pytest.mark.parametrize(
    ("failure", "least", "most"), [(0.01, 16, 32), (0.05, 8, 16), (0.1, 3, 6), (0.3, 1, 1)]
)
def test_the_batch_size_falls_with_the_failure_rate(failure: float, least: int, most: int) -> None:
    assert least <= batch_size(Rates(failure)) <= most


def test_the_best_size_costs_less_than_its_neighbours() -> None:
    rates = Rates(0.05)
    best = batch_size(rates)
    assert checks_for_each(best, rates) <= min(
        checks_for_each(best - 1, rates), checks_for_each(best + 1, rates)
    )
    assert checks_for_each(1, rates) > 1 > 2 * checks_for_each(best, rates)
