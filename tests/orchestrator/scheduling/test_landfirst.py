"""Who should land first of two in conflict."""

from __future__ import annotations

from orchestrator.scheduling.landfirst import first_of_each
from orchestrator.states import AttemptState

RUNNING = dict.fromkeys("abc", AttemptState.RUNNING)
NONE: frozenset[tuple[str, str]] = frozenset()


def test_p2_who_leaves_fewer_conflicts_lands_first() -> None:
    found = first_of_each({("a", "b"): ["x"], ("a", "c"): ["y"]}, RUNNING, NONE)
    assert {pair: first.plan for pair, first in found.items()} == {("a", "b"): "b", ("a", "c"): "c"}
    assert found["a", "b"].why == "its landing leaves 1 conflict, that of a 2"


def test_p2_of_as_many_conflicts_fewer_files_decide() -> None:
    conflicts = {("a", "b"): ["x"], ("b", "c"): ["y"], ("a", "d"): ["1", "2"]}
    found = first_of_each(conflicts, {**RUNNING, "d": AttemptState.RUNNING}, NONE)
    assert found["a", "b"].plan == "b"
    assert found["a", "b"].why == "its landing leaves conflicts in 2 files, that of a in 3"


def test_p2_then_who_is_further_along_then_the_name() -> None:
    states = {**RUNNING, "b": AttemptState.QUEUED}
    first = first_of_each({("a", "b"): ["x"]}, states, NONE)["a", "b"]
    assert (first.plan, first.why) == ("b", "it is queued, a is running")
    assert first_of_each({("a", "b"): ["x"]}, RUNNING, NONE)["a", "b"].plan == "a"


def test_p2_what_another_is_stacked_on_lands_first_whatever_it_leaves() -> None:
    conflicts = {("a", "b"): ["x"], ("b", "c"): ["y"]}
    found = first_of_each(conflicts, RUNNING, frozenset({("a", "b")}))
    assert (found["a", "b"].plan, found["a", "b"].why) == ("b", "a is stacked on it")
    assert found["b", "c"].plan == "c"
