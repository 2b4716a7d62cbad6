"""The serial policy and the order of the queue: pure, so told without git."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.merging.order import in_order
from orchestrator.merging.planner import Process, QueueView, Stay, can_any_go, line, plan_serial
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from orchestrator.submitting.standstill import Freeze


def entry(name: str, sequence: int, priority: float = 50, **changes: object) -> Entry:
    made = Entry(
        id=name,
        plan=name,
        branch=f"plan/{name}",
        target="refs/heads/main",
        head="h",
        base="b",
        queued_at="",
        sequence=sequence,
        priority=priority,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [e.id for e in entries]


def test_equal_priorities_keep_the_order_of_arrival() -> None:
    assert names(in_order([entry("b", 2), entry("a", 1), entry("c", 3)])) == ["a", "b", "c"]


def test_priority_goes_first() -> None:
    assert names(in_order([entry("a", 1), entry("urgent", 2, 100)])) == ["urgent", "a"]


def test_p18_a_head_that_takes_another_s_place_has_its_age() -> None:
    came = [entry("old", 1), entry("urgent", 5, 52), entry("mended", 6, arrival=2)]
    assert names(in_order(came)) == ["old", "mended", "urgent"]
    assert names(in_order([entry("urgent", 5, 52), entry("late", 6)])) == ["urgent", "late"]


def test_s10_aging_bounds_every_wait() -> None:
    """However many urgent ones arrive, at most 50 of them pass one of medium priority."""
    waiting = entry("patient", 0)
    later = [entry(f"u{n}", n, 100) for n in range(1, 200)]
    place = names(in_order([waiting, *later])).index("patient")
    assert place <= 50
    assert names(in_order([waiting, entry("u51", 51, 100)])) == ["patient", "u51"]


def test_one_entry_is_processed_and_the_others_say_why_they_stay() -> None:
    steps = plan_serial(QueueView((entry("a", 1), entry("b", 2))))
    assert steps[0] == Process(entry("a", 1))
    assert isinstance(steps[1], Stay)
    assert (steps[1].code, steps[1].detail) == ("behind", "others are before it")


def test_stacked_work_stays_until_what_it_stands_on_has_landed() -> None:
    stacked = entry("b", 1, after=("a",))
    assert plan_serial(QueueView((stacked,))) == (Stay(stacked, "order", "lands after a"),)
    assert plan_serial(QueueView((stacked,), landed=frozenset({"a"}))) == (Process(stacked),)


def test_a_pause_stops_everything_and_says_so() -> None:
    one = entry("a", 1)
    assert plan_serial(QueueView((one,), paused="by hand")) == (Stay(one, "paused", "by hand"),)


def test_a_freeze_holds_what_was_given_less_and_no_age_thaws_it() -> None:
    old, behind = entry("old", 1, 40), entry("behind", 60, 60, after=("old",))
    later = [entry(f"u{n}", n, 60) for n in range(100, 103)]
    view = QueueView((old, behind, *later), freeze=Freeze(60, "release day"))
    assert names(in_order(view.entries))[0] == "old", "by its age it would be next"
    steps = {step.entry.id: step for step in plan_serial(view)}
    detail = "its priority is 40, and nothing below 60 lands: release day"
    assert steps["old"] == Stay(old, "frozen", detail)
    assert steps["behind"] == Stay(behind, "order", "lands after old")
    assert steps["u100"] == Process(later[0])
    assert names(line(view, later[:1], 9)) == ["u101", "u102"]
    assert names(line(replace(view, freeze=None), later[:1], 9))[:2] == ["old", "behind"]


def test_a_freeze_at_or_below_the_priority_lets_it_go() -> None:
    one = entry("a", 1, 60)
    for below in (60, -5):
        assert plan_serial(QueueView((one,), freeze=Freeze(below, "x"))) == (Process(one),)
    (stay,) = plan_serial(QueueView((one,), freeze=Freeze(60.5, "x"), paused="by hand"))
    assert stay == Stay(one, "paused", "by hand"), "what holds all is said first"


@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from((10.0, 40.0, 60.0, 61.5, 90.0)),
            st.sets(st.integers(0, 7), max_size=2),
            st.sampled_from((EntryState.QUEUED, EntryState.QUEUED, EntryState.BLOCKED, EntryState.HELD)),
        ),
        max_size=8,
    ),
    below=st.sampled_from((0.0, 40.0, 60.0, 100.0)),
)
def test_the_others_go_on_as_if_the_frozen_ones_were_not_there(
    drawn: list[tuple[float, set[int], EntryState]], below: float
) -> None:
    entries = tuple(
        entry(f"e{n}", n, priority, after=tuple(f"e{m}" for m in sorted(after) if m < n), state=state)
        for n, (priority, after, state) in enumerate(drawn)
    )
    view = QueueView(entries, tried=frozenset({"e0", "e3"}), later=frozenset({"e1"}))
    alone = replace(view, entries=tuple(e for e in entries if e.priority >= below))
    view = replace(view, freeze=Freeze(below, "x"))
    steps = [step for step in plan_serial(view) if step.entry.priority >= below]
    assert steps == [*plan_serial(alone)]
    first = [step.entry for step in steps if isinstance(step, Process)]
    assert line(view, first, 9) == line(alone, first, 9)
    assert can_any_go(view) == can_any_go(alone)


def test_nothing_can_go_while_all_is_frozen_or_lands_after_what_is() -> None:
    low, behind, blocked = entry("low", 1, 10), entry("b", 2, after=("low",)), EntryState.BLOCKED
    view = QueueView((low, behind, entry("c", 3, 90, state=blocked)), freeze=Freeze(50, "x"))
    assert not can_any_go(view), "what is blocked waits for a person or a move of the target"
    assert can_any_go(replace(view, freeze=Freeze(5, "x")))
    assert can_any_go(replace(view, landed=frozenset({"low"})))


def test_a_blocked_entry_lets_others_pass_once_it_was_tried() -> None:
    blocked = entry("a", 1, state=EntryState.BLOCKED, reason={"code": "checkout", "detail": "x"})
    other = entry("b", 2)
    steps = plan_serial(QueueView((blocked, other), tried=frozenset({"a"})))
    assert steps == (Process(other), Stay(blocked, "checkout", "x"))
    assert plan_serial(QueueView((blocked, other)))[0] == Process(blocked)


def test_held_entries_wait_for_a_person() -> None:
    held = entry("a", 1, state=EntryState.HELD, reason={"code": "policy-change", "detail": "check"})
    assert plan_serial(QueueView((held,))) == (Stay(held, "held", "check"),)
