"""What a verdict is worth once the target has moved: S13, and the verdict cache by tree."""

from __future__ import annotations

from orchestrator.planning.knowledge import after_ejection, after_landing, moved, noted
from orchestrator.planning.model import Known, Stack


def always(_one: str, _other: str) -> bool:
    return True


def never(_one: str, _other: str) -> bool:
    return False


def test_a_stack_whose_first_entries_landed_is_the_rest_on_the_new_target() -> None:
    known = {Stack((), ("a", "b", "c")): Known(failed=1)}
    assert after_landing(known, frozenset({"a"}), always) == {Stack((), ("b", "c")): Known(failed=1)}


def test_what_was_assumed_and_landed_is_assumed_no_more() -> None:
    assert moved(Stack(("a", "b"), ("c",)), frozenset({"a"}), always) == Stack(("b",), ("c",))


def test_s13_what_landed_beside_voids_a_verdict_unless_it_is_independent() -> None:
    stack = Stack((), ("b",))
    assert moved(stack, frozenset({"a"}), always) is None
    assert moved(stack, frozenset({"a"}), never) == stack


def test_s13_one_of_several_landed_that_meets_one_of_several_tested_voids() -> None:
    stack = Stack((), ("x", "y"))
    assert moved(stack, frozenset({"a", "b"}), lambda one, other: (one, other) == ("b", "y")) is None


def test_what_landed_whole_says_nothing_of_what_is_left() -> None:
    assert moved(Stack((), ("a",)), frozenset({"a", "b"}), never) is None


def test_checks_of_the_same_tree_count_together() -> None:
    """(a) then (b) on it, and both at once: the same tree, reached by another order."""
    known = {Stack(("a",), ("b",)): Known(failed=1), Stack((), ("a", "b")): Known(failed=1)}
    assert after_landing(known, frozenset({"a"}), always) == {Stack((), ("b",)): Known(failed=2)}


def test_what_holds_an_ejected_entry_is_forgotten_the_rest_stays() -> None:
    known = noted({}, Stack(("a",), ("b",)), passed=True)
    known = noted(known, Stack((), ("c",)), passed=False)
    assert after_ejection(known, "a") == {Stack((), ("c",)): Known(failed=1)}
    assert after_ejection(known, "b") == {Stack((), ("c",)): Known(failed=1)}
