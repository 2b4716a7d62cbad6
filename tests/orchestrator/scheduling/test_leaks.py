"""What points from a write in the main checkout to a plan, what is news, and what is made of it (P13)."""

from __future__ import annotations

import pytest

from orchestrator.scheduling import leaktable
from orchestrator.scheduling.decide import Enqueue, Start, decide
from orchestrator.scheduling.leaks import Clue, Leak, Trace, news, why
from orchestrator.scheduling.leaktable import MOST_ROWS, Leaked
from orchestrator.scheduling.reasons import sentence
from orchestrator.states import AttemptState as A
from orchestrator.store.memory.store import MemoryStore
from plans.ids import PlanId
from tests.support.views import a_plan, a_view, decided
from tests.support.views import why as reason_of

AT = "2026-11-21T00:56:01.123Z"


def leak(*clues: tuple[str, Trace], path: str = "f") -> Leak:
    return Leak(path, AT, ("a", "b"), tuple(Clue(plan, trace, "sh, pid 7") for plan, trace in clues))


@pytest.mark.parametrize(
    ("clues", "plan", "holds"),
    [
        ((), "", False),
        ((("a", Trace.DECLARED),), "", False),
        ((("a", Trace.STOOD), ("b", Trace.DECLARED)), "a", False),
        ((("a", Trace.NAMED), ("b", Trace.STOOD)), "a", True),
        ((("a", Trace.CONTENT), ("b", Trace.NAMED)), "a", True),
        ((("b", Trace.OPEN), ("a", Trace.CONTENT)), "b", True),
        ((("a", Trace.CONTENT), ("b", Trace.CONTENT), ("a", Trace.NAMED)), "", False),
        ((("a", Trace.OPEN), ("a", Trace.OPEN)), "a", True),
    ],
)
def test_p13_a_plan_is_named_when_the_best_that_was_seen_points_to_it_alone(
    clues: tuple[tuple[str, Trace], ...], plan: str, *, holds: bool
) -> None:
    found = leak(*clues)
    assert (found.plan, found.holds) == (plan, holds)


def test_p13_nothing_is_claimed_beyond_what_was_seen() -> None:
    assert why(leak()) == "written while a and b ran"
    assert why(leak(("b", Trace.DECLARED))) == "written while a and b ran; b declared it"
    assert why(leak(("a", Trace.CONTENT))).endswith("; its content is that of a's worktree")
    assert why(leak(("a", Trace.OPEN))).endswith("; a process of a had it open to write (sh, pid 7)")
    assert why(leak(("a", Trace.STOOD))).endswith("; a process of a stood there (sh, pid 7)")
    assert why(leak(("a", Trace.NAMED))).endswith("; the output of a names it")


def test_p13_a_file_is_told_once_again_when_a_plan_is_pointed_to_and_when_it_went() -> None:
    first = news({}, [leak()], ["f"])
    assert first.told == (leak(),)
    assert news(first.rows, [leak()], ["f"]).told == (), "the user saves it again and again"
    pointed = news(first.rows, [leak(("a", Trace.OPEN))], ["f"])
    assert [one.plan for one in pointed.told] == ["a"]
    again = news(pointed.rows, [leak()], ["f", "other"])
    assert (again.told, again.rows["f"].plan) == ((), "a"), "what was known of it stays"
    assert news(again.rows, [], ["other"]).cleared == ("f",)


def test_p13_rows_come_back_as_they_were_and_are_not_without_number() -> None:
    store = MemoryStore()
    rows = {f"{n:04}": leak(("a", Trace.OPEN), path=f"{n:04}") for n in range(MOST_ROWS + 9)}
    leaktable.save(store, "r1", Leaked(rows, AT))
    found = leaktable.load(store, "r1")
    assert found.looked == AT
    assert dict(found.rows) == dict(list(rows.items())[:MOST_ROWS])
    leaktable.drop(store, "r1")
    assert leaktable.load(store, "r1") == Leaked()


def test_p13_finished_work_waits_for_what_it_left_there_and_others_go_on() -> None:
    """Who overlaps with it starts; who needs it is passed over; the run ends, and says why."""
    plans = a_plan("a", write=["x"]), a_plan("b", "a"), a_plan("c", write=["x"])
    states, leaked = {"a": A.FINISHED}, {PlanId("a"): "f"}
    view = a_view(*plans, states=states, leaked=leaked)
    assert reason_of(view, "a") == {"code": "leaked", "detail": "f"}
    assert reason_of(view, "b")["code"] == "dependency-rejected"
    assert "held: f in the main checkout" in sentence(reason_of(view, "b"))
    assert isinstance(decided(view)["c"], Start)
    assert "end" in decided(a_view(plans[0], states=states, leaked=leaked))
    assert decide(a_view(plans[0], states=states)) == (Enqueue(PlanId("a")),), "it was put back"
