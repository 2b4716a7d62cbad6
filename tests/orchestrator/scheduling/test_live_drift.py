"""Drift while plans run: what is news, who waits for it, and how often one looks (P3)."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.scheduling.decide import Start, Wait
from orchestrator.scheduling.drift import Drift
from orchestrator.scheduling.driftnews import news, row_of
from orchestrator.scheduling.drifttable import MOST_PATHS, NO_DRIFT, Drifted
from orchestrator.scheduling.driftwatch import EVERY, SHARE, DriftWatch, pause
from orchestrator.states import AttemptState as A
from orchestrator.states import EntryState
from plans.ids import PlanId
from plans.project import OverlapMode
from tests.orchestrator.scheduling.test_decide import foreign
from tests.support.clock import FakeClock
from tests.support.views import a_plan, a_view, decided, why

ID = PlanId
TOUCHES = {ID("a"): {"b": "two"}}
INTO = {"code": "drifted-into", "plan": "a", "detail": "two"}


@pytest.mark.parametrize("state", [A.PREPARING, A.RUNNING, A.FINISHED, A.QUEUED])
def test_p3_a_plan_that_was_drifted_into_waits_as_long_as_the_other_may_land(state: A) -> None:
    view = a_view(a_plan("a"), a_plan("b"), a_plan("c"), states={"a": state}, touches=TOUCHES)
    assert why(view, "b") == INTO
    assert isinstance(decided(view)["c"], Start)


@pytest.mark.parametrize("state", [A.LANDED, A.LOST, A.CONFLICTED, A.REJECTED, A.CANCELLED])
def test_p3_drift_that_can_no_longer_land_holds_up_nobody(state: A) -> None:
    view = a_view(
        a_plan("a"), a_plan("b"), states={"a": state}, lost={ID("a"): 9}, touches=TOUCHES, keep_going=True
    )
    assert isinstance(decided(view)["b"], Start)


def test_p3_a_drifter_that_lands_behind_others_or_is_stuck_is_not_waited_for() -> None:
    behind = a_view(a_plan("b"), a_plan("a", "b:finished"), states={"a": A.FINISHED}, touches=TOUCHES)
    assert isinstance(decided(behind)["b"], Start)
    held = a_view(
        a_plan("a"), a_plan("b"), states={"a": A.QUEUED}, entry_states={"a": EntryState.HELD}, touches=TOUCHES
    )
    assert isinstance(decided(held)["b"], Start)
    apart = a_view(
        a_plan("a"), a_plan("b"), states={"a": A.RUNNING}, mode=OverlapMode.ISOLATE, touches=TOUCHES
    )
    assert isinstance(decided(apart)["b"], Start)


def test_p3_drift_of_another_run_is_waited_for_as_well() -> None:
    view = a_view(a_plan("b"), foreign=(foreign("x", touches={"b": "two"}),))
    assert isinstance(decided(view)["b"], Wait), "it is not given up: the other moves by itself"
    assert why(view, "b") == {"code": "drifted-into", "plan": "x", "detail": "two", "run": "r0"}


def test_p3_news_is_told_once_and_again_only_when_it_changes() -> None:
    found = row_of(Drift(("other", "two"), (("two", ID("b")), ("two", ID("w")))))
    first = news(NO_DRIFT, found, {"b"})
    assert (first.began, first.ended, first.told) == (True, (), ("b",))
    again = news(first.row, found, {"b"})
    assert (again.row, again.began, again.ended, again.told) == (first.row, False, (), ())
    later = news(first.row, found, {"b", "w"})
    assert (later.began, later.told) == (False, ("w",)), "it began only after the drift did"
    back = news(first.row, row_of(Drift(("other",), ())), {"b"})
    assert (back.began, back.ended) == (False, ("two",))
    assert news(back.row, found, {"b"}).told == ("b",), "a drift that comes again is told again"


def test_a_row_stays_small_and_says_how_many_there_are() -> None:
    row = row_of(Drift(tuple(f"{n:05}" for n in range(5000)), ()))
    assert (len(row.paths), row.count) == (MOST_PATHS, 5000)


def test_p3_a_look_is_a_bounded_share_of_a_core_whatever_it_costs() -> None:
    for cost in (0.001, 0.03, 0.5, 20.0):
        for attempts in (1, 4, 16):
            assert cost / (cost + pause(cost, attempts)) < SHARE
    assert pause(0.0, 4) * 4 == EVERY


class Slow(DriftWatch):
    """Three plans at work; each look takes 30 ms; ended after seven."""

    def __init__(self, clock: FakeClock, ended: threading.Event) -> None:
        super().__init__(cast("Any", SimpleNamespace(clock=clock)), "r", cast("Any", None), {})
        self.clock, self.ended = clock, ended
        self.looked: list[str] = []

    def _to_look_at(self) -> Any:
        return [SimpleNamespace(id=name) for name in "xyz"]

    def look(self, key: str) -> bool:
        self.looked.append(key)
        self.clock.advance(0.03)
        if len(self.looked) == 7:
            self.ended.set()
        return key == "y"


def test_p3_worktrees_are_looked_at_in_turn_and_the_end_is_heard_at_once() -> None:
    clock, ended, woken = FakeClock(), threading.Event(), []
    slow = Slow(clock, ended)
    slow.watch(ended, lambda: woken.append(1))
    assert slow.looked == list("xyzxyzx")
    assert len(woken) == 2
    assert clock.waits == pytest.approx([0.03 / SHARE] * 6)


def test_an_unread_look_keeps_what_is_known() -> None:
    row = Drifted(("two",), 1, {"b": "two"}, ("b",))
    unread = Drifted(("two",), 1, {"b": "two"}, (), "it is merging")
    told = news(row, unread, {"b"})
    assert (told.began, told.ended, told.told) == (False, (), ())
    assert told.row == Drifted(("two",), 1, {"b": "two"}, ("b",), "it is merging")
