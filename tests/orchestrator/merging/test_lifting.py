"""Who is first after a jump, and what becomes of everybody else: pure, so told without git."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.merging.lifting import LIFTED, lift
from orchestrator.merging.order import in_order
from orchestrator.merging.planner import Process, QueueView, awaited, line, plan_serial
from orchestrator.states import OPEN_ENTRIES, EntryState
from orchestrator.store.records import Entry
from orchestrator.submitting.standstill import Freeze
from plans.model import PRIORITIES
from tests.support.records import an_entry

MOST = max(PRIORITIES.values())
STATES = sorted(OPEN_ENTRIES)
WAITING = EntryState.QUEUED


def entry(name: str, sequence: int, **fields: object) -> Entry:
    return an_entry(name, plan=name, branch=name, sequence=sequence, **fields)


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [one.id for one in entries]


def jumped(view: QueueView, name: str) -> QueueView:
    """The queue after a jump of one of its entries."""
    found = lift(view, next(one for one in view.entries if one.id == name))
    priorities = {one.entry.id: one.priority for one in found.changes}
    entries = tuple(replace(one, priority=priorities.get(one.id, one.priority)) for one in view.entries)
    return replace(view, entries=entries)


def order(view: QueueView) -> list[str]:
    return names(in_order(view.entries))


@st.composite
def queues(draw: st.DrawFn, states: tuple[EntryState, ...] = tuple(STATES)) -> QueueView:
    """Entries of any priority, age and state, each after some of the others, in circles too."""
    count = draw(st.integers(1, 9))
    after = st.sets(st.integers(0, count + 1), max_size=3)
    entries = tuple(
        entry(
            f"e{number}",
            number + 1,
            arrival=draw(st.integers(0, number + 1)),
            priority=draw(st.sampled_from([-1e6, 0.0, 25.0, 49.9, 50.0, 50.1, 75.0, 100.0, 160.5, 1e6])),
            state=draw(st.sampled_from(states)),
            after=tuple(f"e{n}" for n in sorted(draw(after)) if n != number),
        )
        for number in range(count)
    )
    landed = frozenset(f"e{n}" for n in draw(st.sets(st.integers(0, count), max_size=2)))
    return QueueView(entries, landed=landed)


def waiting(view: QueueView) -> st.SearchStrategy[str]:
    return st.sampled_from([one.id for one in view.entries if one.state in LIFTED])


QUEUES = queues().filter(lambda view: any(one.state in LIFTED for one in view.entries))


@given(st.data(), QUEUES)
def test_s10_it_is_first_and_everybody_else_keeps_the_order(data: st.DataObject, view: QueueView) -> None:
    name = data.draw(waiting(view))
    found = lift(view, next(one for one in view.entries if one.id == name))
    after = jumped(view, name)
    lifted = names(found.line)
    assert lifted[-1] == name
    assert order(after)[: len(lifted)] == lifted
    assert order(after)[len(lifted) :] == [one for one in order(view) if one not in lifted]
    kept = {one.id: one.priority for one in after.entries if one.id not in lifted}
    assert kept == {one.id: one.priority for one in view.entries if one.id not in lifted}
    assert all(one.state in LIFTED for one in found.line)


@given(st.data(), QUEUES)
def test_only_what_it_waits_for_is_lifted_with_it_and_a_second_jump_is_nothing_new(
    data: st.DataObject, view: QueueView
) -> None:
    name = data.draw(waiting(view))
    found = lift(view, next(one for one in view.entries if one.id == name))
    needed = {plan for one in found.line for plan in awaited(view, one)}
    assert {one.plan for one in found.line[:-1]} <= needed
    there = {one.plan for one in found.line}
    could = {one.plan for one in view.entries if one.state in LIFTED}
    assert needed & could <= there, "all of it that could be"
    assert set(found.awaits) == needed - there
    after = jumped(view, name)
    again = lift(after, next(one for one in after.entries if one.id == name))
    assert (again.changes, names(again.line)) == ((), names(found.line))


@given(st.data(), QUEUES, st.sampled_from([-5.0, 50.0, 75.5, 100.0, 160.7, 1e6]))
def test_what_is_lifted_passes_a_freeze_whatever_its_age(
    data: st.DataObject, view: QueueView, below: float
) -> None:
    name = data.draw(waiting(view))
    freeze = Freeze(below, "release")
    for after in (
        jumped(replace(view, freeze=freeze), name),
        replace(jumped(view, name), freeze=replace(freeze, below=min(below, MOST))),
    ):
        found = lift(after, next(one for one in after.entries if one.id == name))
        assert after.freeze is not None
        assert not [one for one in found.line if after.freeze.holds(one.priority)]


@given(st.data(), QUEUES, st.integers(1, 50))
def test_s10_the_last_jump_is_first_and_no_later_one_with_a_named_priority_passes_it(
    data: st.DataObject, view: QueueView, later: int
) -> None:
    first, second = data.draw(waiting(view)), data.draw(waiting(view))
    after = jumped(jumped(view, first), second)
    newest = max(one.sequence for one in after.entries)
    urgent = tuple(entry(f"u{n}", newest + n, priority=float(MOST)) for n in range(1, later + 1))
    found = order(replace(after, entries=(*after.entries, *urgent)))
    place = found.index(second)
    assert not [one for one in found[:place] if one.startswith("u")]
    assert found[:place] == names(lift(after, next(o for o in after.entries if o.id == second)).line[:-1])


@given(st.data(), st.integers(1, 60), st.integers(0, 10))
def test_s10_who_waits_is_passed_by_what_aging_allows_and_once_for_each_jump(
    data: st.DataObject, later: int, jumps: int
) -> None:
    """Whoever is lifted, and whatever comes: the bound of aging, and one more for each lift."""
    view = QueueView((entry("patient", 1),))
    urgent = [entry(f"u{n}", n + 1, priority=float(MOST)) for n in range(1, later + 1)]
    moments = sorted(data.draw(st.lists(st.integers(1, later), min_size=jumps, max_size=jumps)))
    for number, one in enumerate(urgent, 1):
        view = replace(view, entries=(*view.entries, one))
        for _ in range(moments.count(number)):
            view = jumped(view, data.draw(st.sampled_from([o.id for o in view.entries[1:]])))
    passed = order(view).index("patient")
    assert passed <= MOST - 50 + jumps


def test_the_worker_takes_it_next_with_those_that_it_lands_after_before_it() -> None:
    view = QueueView((entry("a", 1), entry("b", 2, after=("base",)), entry("c", 3), entry("base", 4)))
    after = jumped(view, "b")
    first = plan_serial(after)[0]
    assert isinstance(first, Process)
    assert first.entry.id == "base"
    assert names(line(after, (first.entry,), 9)) == ["b", "a", "c"]


def test_those_before_it_are_in_the_order_in_which_they_can_land() -> None:
    chain = (entry("c", 1, after=("b", "x")), entry("b", 2, after=("a",)), entry("x", 3), entry("a", 4))
    view = QueueView((entry("other", 0), *chain))
    assert order(jumped(view, "c")) == ["x", "a", "b", "c", "other"]


def test_what_has_landed_or_is_at_its_turn_is_not_lifted_with_it() -> None:
    base = entry("base", 2)
    top = entry("top", 3, after=("base",))
    done = QueueView((entry("a", 1), base, top), landed=frozenset({"base"}))
    assert order(jumped(done, "top")) == ["top", "a", "base"]
    at_work = QueueView((entry("a", 1), replace(base, state=EntryState.CHECKING), top))
    assert order(jumped(at_work, "top")) == ["top", "a", "base"]
    assert lift(at_work, top).awaits == ("base",)
    stands_on = replace(done, unlanded={"top": "base"})
    assert order(jumped(stands_on, "top")) == ["base", "top", "a"], "on work that is still to land"


@pytest.mark.parametrize(
    "view",
    [
        QueueView((entry("top", 1, after=("base",)),)),
        QueueView((entry("top", 1, after=("base",)), entry("base", 2, state=EntryState.HELD))),
        QueueView(
            (entry("top", 1, after=("base",)),), landed=frozenset({"base"}), failed={"base": "dropped"}
        ),
    ],
)
def test_it_says_what_it_still_waits_for(view: QueueView) -> None:
    assert lift(view, view.entries[0]).awaits == ("base",)


def test_a_blocked_one_is_first_and_lets_others_pass_as_before() -> None:
    blocked = entry("b", 2, state=EntryState.BLOCKED)
    view = replace(jumped(QueueView((entry("a", 1), blocked)), "b"), tried=frozenset({"b"}))
    assert order(view) == ["b", "a"]
    first = plan_serial(view)[0]
    assert isinstance(first, Process)
    assert first.entry.id == "a"


def test_one_that_happens_to_be_first_is_lifted_above_what_may_come() -> None:
    view = QueueView((entry("a", 1), entry("b", 2)))
    after = jumped(view, "a")
    late = entry("late", 3, priority=float(MOST))
    assert order(replace(view, entries=(*view.entries, late))) == ["late", "a", "b"]
    assert order(replace(after, entries=(*after.entries, late))) == ["a", "late", "b"]
