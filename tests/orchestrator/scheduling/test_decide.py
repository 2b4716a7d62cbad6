"""Who starts, who waits and why: every code of a wait and of a skip, by views made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.running.memory import GIB, Memory, MemoryShortage
from orchestrator.scheduling.decide import (
    Again,
    End,
    Enqueue,
    ReportLanded,
    Skip,
    Start,
    Wait,
    decide,
)
from orchestrator.scheduling.reasons import Code, reason, sentence
from orchestrator.scheduling.view import MOST_LOST, Foreign
from orchestrator.slots.places import Places
from orchestrator.states import AttemptState as A
from orchestrator.states import EntryState
from orchestrator.submitting.standstill import Freeze
from plans.ids import PhaseId, PlanId
from plans.model import Phase, Plan
from plans.project import OverlapMode
from tests.support.views import a_plan, a_view, decided, why

ID = PlanId


def foreign(plan: str, state: A = A.RUNNING, run: str = "r0", **fields: Any) -> Foreign:
    return Foreign(ID(plan), run, state, **fields)


def test_plans_that_hinder_nobody_start_at_once() -> None:
    view = a_view(a_plan("a"), a_plan("b"))
    assert decide(view) == (Start(ID("a")), Start(ID("b")))


def test_s2_9_higher_priority_starts_first_then_the_longer_chain_then_id() -> None:
    plans = [a_plan("a"), a_plan("b", priority=90), a_plan("c"), a_plan("d", "c")]
    assert [d.plan for d in decide(a_view(*plans, jobs=3)) if isinstance(d, Start)] == ["b", "c", "a"]


def test_jobs_bound_what_works_at_once() -> None:
    view = a_view(a_plan("a"), a_plan("b"), a_plan("c"), jobs=2, states={"a": A.RUNNING})
    found = decided(view)
    assert isinstance(found["b"], Start)
    assert found["c"].why == {"code": "capacity"}


def test_a_plan_in_the_queue_takes_no_place() -> None:
    view = a_view(a_plan("a"), a_plan("b"), jobs=1, states={"a": A.QUEUED})
    assert decide(view) == (Start(ID("b")),)


def test_a_full_pool_makes_plans_wait_and_counts_what_starts_now() -> None:
    view = a_view(a_plan("a"), a_plan("b"), places=Places(1))
    found = decided(view)
    assert isinstance(found["a"], Start)
    assert found["b"].why == {"code": "pool"}


def test_a_pool_that_stays_full_ends_the_run() -> None:
    assert decided(a_view(a_plan("a"), places=Places(0)))["a"] == Skip(ID("a"), {"code": "pool"})
    coming = a_view(a_plan("a"), places=Places(0, coming=True))
    assert decided(coming) == {"a": Wait(ID("a"), {"code": "pool"})}


@pytest.mark.parametrize(
    ("need", "state", "starts"),
    [
        ("a", A.RUNNING, False),
        ("a", A.FINISHED, False),
        ("a", A.QUEUED, False),
        ("a", A.LANDED, True),
        ("a:finished", A.RUNNING, False),
        ("a:finished", A.FINISHED, True),
        ("a:finished", A.QUEUED, True),
        ("a:finished", A.LANDED, True),
        ("a:finished", A.REJECTED, False),
        ("a:started", A.PREPARING, False),
        ("a:started", A.RUNNING, True),
        ("a:started", A.PREPARED, True),
        ("a:started", A.FAILED, True),
        ("a:phase-1", A.RUNNING, False),
        ("a:phase-1", A.FINISHED, True),
        ("a:phase-1", A.CONFLICTED, False),
    ],
)
def test_s2_5_a_dependency_on_a_plan_of_the_run(need: str, state: A, starts: bool) -> None:
    view = a_view(a_plan("a"), a_plan("b", need), states={"a": state}, keep_going=True, land=True)
    assert isinstance(decided(view)["b"], Start) is starts


def test_s2_9_a_phase_that_the_running_attempt_has_completed_lets_the_next_plan_start() -> None:
    view = a_view(
        a_plan("a"), a_plan("b", "a:phase-1"), states={"a": A.RUNNING}, phases={("a", "1"): "c" * 40}
    )
    assert decided(view)["b"] == Start(ID("b"))


def test_nobody_is_stacked_on_a_phase_of_a_plan_that_has_failed_since() -> None:
    view = a_view(
        a_plan("a"),
        a_plan("b", "a:phase-1"),
        states={"a": A.FAILED},
        keep_going=True,
        phases={("a", "1"): "c"},
    )
    assert why(view, "b")["code"] == Code.DEPENDENCY_FAILED


@pytest.mark.parametrize("state", [A.FAILED, A.TIMED_OUT, A.CANCELLED])
def test_what_needs_a_failed_plan_is_passed_over(state: A) -> None:
    view = a_view(a_plan("a"), a_plan("b", "a"), states={"a": state}, keep_going=True)
    found = decided(view)["b"]
    assert isinstance(found, Skip)
    assert (found.why["code"], found.why["plan"]) == ("dependency-failed", "a")
    assert "needs a" in sentence(found.why)


@pytest.mark.parametrize("state", [A.CONFLICTED, A.REJECTED])
def test_what_needs_a_refused_plan_waits_while_others_work_and_is_given_up_at_the_end(state: A) -> None:
    plans = [a_plan("a"), a_plan("b", "a"), a_plan("c")]
    busy = decided(a_view(*plans, states={"a": state, "c": A.RUNNING}))
    assert busy["b"] == Wait(ID("b"), reason(Code.DEPENDENCY_REJECTED, "a", str(state)))
    done = decided(a_view(*plans, states={"a": state, "c": A.LANDED}))
    assert isinstance(done["b"], Skip)


def test_a_refused_landing_does_not_stop_others_and_a_failed_command_does() -> None:
    plans = [a_plan("a"), a_plan("b")]
    for refused in (A.CONFLICTED, A.REJECTED):
        assert decided(a_view(*plans, states={"a": refused}))["b"] == Start(ID("b"))
    stopped = decided(a_view(*plans, states={"a": A.FAILED}))["b"]
    assert stopped == Skip(ID("b"), {"code": "stopped", "plan": "a"})
    assert decided(a_view(*plans, states={"a": A.FAILED}, keep_going=True))["b"] == Start(ID("b"))


def test_a_plan_that_is_done_again_is_no_new_plan() -> None:
    """After ``retry b`` or a lost supervisor, whatever else has failed in the run."""
    view = a_view(a_plan("a"), a_plan("b"), states={"a": A.FAILED}, attempt={"b": {"number": 2}})
    assert decided(view)["b"] == Start(ID("b"))


def test_a_failure_that_is_retried_stops_nobody() -> None:
    view = a_view(
        a_plan("a", retries=1),
        a_plan("b"),
        states={"a": A.FAILED},
        attempt={"a": {"reason": {"code": "exit-code"}}},
        counted={ID("a"): 1},
    )
    found = decided(view)
    assert found["a"] == Again(ID("a"), counted=True)
    assert found["b"] == Start(ID("b"))


def test_retries_are_counted_and_drift_is_not_retried() -> None:
    plan = a_plan("a", retries=2)
    for count, code, again in ((2, "exit-code", True), (3, "exit-code", False), (1, "drift", False)):
        view = a_view(
            plan,
            states={"a": A.TIMED_OUT},
            attempt={"a": {"reason": {"code": code}}},
            counted={ID("a"): count},
        )
        assert isinstance(decided(view).get("a"), Again) is again


def test_a_lost_plan_runs_again_uncounted_until_something_must_be_killing_it() -> None:
    lost = {"states": {"a": A.LOST}, "attempt": {"a": {"reason": {"code": "lost"}}}}
    assert decided(a_view(a_plan("a"), **lost, lost={ID("a"): MOST_LOST}))["a"] == Again(
        ID("a"), counted=False
    )
    over = a_view(a_plan("a"), a_plan("b", "a"), **lost, lost={ID("a"): MOST_LOST + 1})
    found = decided(over)
    assert "a" not in found
    assert found["b"].why["code"] == "dependency-failed"


def write(name: str, *patterns: str, **fields: Any) -> Plan:
    return a_plan(name, write=patterns, **fields)


@pytest.mark.parametrize("state", [A.PENDING, A.RUNNING, A.FINISHED, A.QUEUED])
def test_s2_7_an_overlapping_plan_waits_while_the_other_may_still_land(state: A) -> None:
    view = a_view(write("a", "src/**"), write("b", "src/x.py"), states={"a": state}, jobs=1)
    assert why(view, "b") == {"code": "overlap", "plan": "a", "detail": "src/x.py"}


@pytest.mark.parametrize("state", [A.LANDED, A.CONFLICTED, A.REJECTED, A.CANCELLED])
def test_s2_7_the_wait_for_an_overlap_is_over_when_the_other_has_ended(state: A) -> None:
    view = a_view(write("a", "src/**"), write("b", "src/x.py"), states={"a": state})
    assert decided(view)["b"] == Start(ID("b"))


@pytest.mark.parametrize("entry", [EntryState.BLOCKED, EntryState.HELD])
def test_a_stuck_landing_holds_up_what_needs_it_and_not_what_only_overlaps(entry: EntryState) -> None:
    plans = [write("a", "x"), write("b", "x"), a_plan("c", "a"), a_plan("d")]
    view = a_view(*plans, states={"a": A.QUEUED, "d": A.RUNNING}, entry_states={"a": entry})
    found = decided(view)
    assert found["b"] == Start(ID("b"))
    assert found["c"] == Wait(ID("c"), reason(Code.DEPENDENCY_REJECTED, "a", str(entry)))


def test_a_queue_that_stands_still_ends_the_run_and_says_why() -> None:
    view = a_view(a_plan("a"), a_plan("b", "a"), states={"a": A.QUEUED}, standstill="target-red")
    found = decided(view)["b"]
    assert isinstance(found, Skip)
    assert "target-red" in found.why["detail"]


def test_a_frozen_landing_holds_up_what_needs_it_and_the_run_ends_without_it() -> None:
    plans = [a_plan("a"), a_plan("b", "a"), a_plan("c")]
    queued = {"a": A.QUEUED, "c": A.QUEUED}
    view = a_view(*plans, states=queued, freeze=Freeze(60, "release day"))
    found = decided(view)["b"]
    assert isinstance(found, Skip), "nothing moves"
    assert "and frozen (its priority is 50, and nothing below 60 lands: release day)" in found.why["detail"]
    landing = decided(
        replace(view, entries={**view.entries, "e-c": replace(view.entries["e-c"], priority=60)})
    )
    assert isinstance(landing["b"], Wait), "c is about to land"
    assert isinstance(decided(replace(view, freeze=Freeze(50, "x")))["b"], Wait)


def test_s2_7_a_medium_overlap_orders_the_landing_and_not_the_start() -> None:
    plans = [a_plan("reader", read=["x"], write=["y"]), write("writer", "x")]
    assert len([d for d in decide(a_view(*plans)) if isinstance(d, Start)]) == 2
    view = a_view(*plans, states={"reader": A.FINISHED, "writer": A.RUNNING})
    assert why(view, "reader") == {"code": "order", "plan": "writer"}
    for state in (A.LANDED, A.FAILED, A.CONFLICTED):
        later = a_view(*plans, states={"reader": A.FINISHED, "writer": state})
        assert decided(later)["reader"] == Enqueue(ID("reader"))


def test_s2_7_isolate_runs_both_and_lands_by_priority() -> None:
    plans = [write("a", "x"), write("b", "x", priority=90)]
    both = decide(a_view(*plans, mode=OverlapMode.ISOLATE))
    assert [d.plan for d in both if isinstance(d, Start)] == ["b", "a"]
    states = {"a": A.FINISHED, "b": A.RUNNING}
    assert why(a_view(*plans, mode=OverlapMode.ISOLATE, states=states), "a")["code"] == "order"


def test_conflicts_with_never_works_at_the_same_time_whoever_says_so() -> None:
    plans = [a_plan("a"), a_plan("b", conflicts_with=(ID("a"),))]
    assert why(a_view(*plans), "b") == {"code": "conflicts-with", "plan": "a"}
    assert why(a_view(*plans, states={"b": A.RUNNING}), "a")["plan"] == "b"
    assert decided(a_view(*plans, states={"a": A.QUEUED}))["b"] == Start(ID("b"))


def test_s2_13_resources_are_had_up_to_their_capacity() -> None:
    plans = [a_plan(name, resources={"db": 1}) for name in "abc"]
    assert why(a_view(*plans), "b") == {"code": "resource", "detail": "db"}  # 1 unless set
    found = decided(a_view(*plans, capacities={"db": 2}))
    assert [type(found[p]) for p in "abc"] == [Start, Start, Wait]


def test_more_of_a_resource_than_there_is_is_not_waited_for() -> None:
    found = decided(a_view(a_plan("a", resources={"db": 3}), capacities={"db": 2}))["a"]
    assert isinstance(found, Skip)
    assert found.why == {"code": "over-capacity", "detail": "3 of db, and there are 2"}


def test_stacked_work_lands_only_after_what_it_stands_on() -> None:
    plans = [a_plan("a"), a_plan("b", "a:finished")]
    for state, code in (
        (A.QUEUED, "order"),
        (A.REJECTED, "dependency-rejected"),
        (A.FAILED, "dependency-failed"),
    ):
        view = a_view(*plans, states={"a": state, "b": A.FINISHED}, attempt={"b": {"number": 1}})
        assert why(view, "b")["code"] == code
        assert not isinstance(decided(view)["b"], Skip), "finished work is never given up"
    assert decided(a_view(*plans, states={"a": A.LANDED, "b": A.FINISHED}))["b"] == Enqueue(ID("b"))


def test_work_stacked_on_a_plan_of_no_run_does_not_keep_the_run_alive() -> None:
    view = a_view(a_plan("b", "a:finished"), states={"b": A.QUEUED})
    assert decided(view) == {"end": End()}
    assert decided(a_view(a_plan("b", "a:finished"), states={"b": A.QUEUED}, foreign=(foreign("a"),))) == {}


def test_without_landing_what_needs_a_landing_is_given_up() -> None:
    plans = [a_plan("a"), a_plan("b", "a"), a_plan("c", "a:finished")]
    found = decided(a_view(*plans, states={"a": A.FINISHED}, land=False))
    assert found["b"] == Wait(ID("b"), reason(Code.NO_LAND, "a"))
    assert found["c"] == Start(ID("c"))
    last = decided(a_view(*plans, states={"a": A.FINISHED, "c": A.FINISHED}, land=False))
    assert last == {"b": Skip(ID("b"), reason(Code.NO_LAND, "a"))}


def test_without_landing_an_overlap_is_given_up_with_that_reason() -> None:
    view = a_view(write("a", "x"), write("b", "x"), states={"a": A.FINISHED}, land=False)
    assert decided(view)["b"] == Skip(ID("b"), reason(Code.NO_LAND, "a"))


def test_an_unchanged_plan_that_has_landed_is_reported_and_not_run() -> None:
    view = a_view(a_plan("a"), unchanged={ID("a"): "f" * 40})
    assert decide(view) == (ReportLanded(ID("a"), "f" * 40),)


def test_a_dependency_outside_the_run_counts_by_what_has_landed() -> None:
    plan = a_plan("b", "a")
    assert decided(a_view(plan, landed={ID("a"): "c"}))["b"] == Start(ID("b"))
    assert decided(a_view(plan))["b"].why["code"] == "dependency-failed"
    assert decided(a_view(a_plan("b", "a:phase-1"), phases={("a", "1"): "c"}))["b"] == Start(ID("b"))


def test_a_dependency_at_work_in_another_run_is_waited_for() -> None:
    view = a_view(a_plan("b", "a"), foreign=(foreign("a"),))
    found = decided(view)["b"]
    assert found == Wait(ID("b"), reason(Code.DEPENDENCY, "a", "landed", run="r0"))
    assert sentence(found.why) == "waits for a in run r0 (landed)"
    assert decided(a_view(a_plan("b", "a:started"), foreign=(foreign("a"),)))["b"] == Start(ID("b"))


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (foreign("a"), "plan-active"),
        (foreign("x", meets={ID("a"): "f"}), "overlap"),
        (foreign("x", A.QUEUED, meets={ID("a"): "f"}), "overlap"),
        (foreign("x", conflicts_with=(ID("a"),)), "conflicts-with"),
        (foreign("x", resources={"db": 1}), "resource"),
    ],
)
def test_plans_of_other_runs_are_waited_for(other: Foreign, code: str) -> None:
    found = decided(a_view(a_plan("a", resources={"db": 1}), foreign=(other,)))
    assert list(found) == ["a"]
    assert isinstance(found["a"], Wait)
    assert found["a"].why["code"] == code


def test_plans_of_other_runs_that_a_person_must_help_are_not_waited_for() -> None:
    stuck = foreign("x", A.QUEUED, meets={ID("a"): "f"}, stuck=True)
    assert decided(a_view(a_plan("a"), foreign=(stuck,)))["a"] == Start(ID("a"))
    same = foreign("a", A.QUEUED, stuck=True)
    assert isinstance(decided(a_view(a_plan("a"), foreign=(same,)))["a"], Skip)


def test_two_runs_never_wait_for_each_others_finished_work() -> None:
    older, younger = (
        foreign("x", A.FINISHED, "r0", meets={ID("a"): "f"}),
        foreign("x", A.FINISHED, "r2", meets={ID("a"): "f"}),
    )
    assert why(a_view(a_plan("a"), foreign=(older,)), "a")["code"] == "overlap"
    assert decided(a_view(a_plan("a"), foreign=(younger,)))["a"] == Start(ID("a"))


def test_isolate_does_not_wait_for_overlaps_of_other_runs() -> None:
    other = foreign("x", meets={ID("a"): "f"})
    assert decided(a_view(a_plan("a"), foreign=(other,), mode=OverlapMode.ISOLATE))["a"] == Start(ID("a"))


def test_what_waits_for_a_plan_that_is_given_up_goes_on_without_it() -> None:
    """z needs a rejected plan, y overlaps with z, x needs y: only z is hopeless."""
    plans = [
        a_plan("r"),
        a_plan("z", "r", write=["f"], priority=90),
        a_plan("y", write=["f"]),
        a_plan("x", "y"),
    ]
    states = {"r": A.REJECTED}
    found = decided(a_view(*plans, states=states))
    assert {p for p, d in found.items() if isinstance(d, Skip)} == {"z"}
    after = decided(a_view(*plans, states={**states, "z": A.CANCELLED}))
    assert after["y"] == Start(ID("y"))


def test_what_needs_a_finished_plan_behind_a_hopeless_one_is_not_given_up_with_it() -> None:
    """b (a reader) is finished and lands behind w, which needs the rejected r; d needs b."""
    plans = [
        a_plan("r"),
        a_plan("w", "r", write=["f"]),
        a_plan("b", read=["f"], write=["g"]),
        a_plan("d", "b"),
    ]
    found = decided(a_view(*plans, states={"r": A.REJECTED, "b": A.FINISHED}))
    assert {p for p, d in found.items() if isinstance(d, Skip)} == {"w"}


def test_the_end_comes_exactly_when_nothing_can_move() -> None:
    plans = [a_plan("a"), a_plan("b")]
    for state in (A.LANDED, A.FAILED, A.CONFLICTED, A.CANCELLED, A.PREPARED):
        assert End() in decide(a_view(*plans, states={"a": state, "b": A.LANDED}))
    for state in (A.PREPARING, A.RUNNING, A.QUEUED):
        assert decide(a_view(*plans, states={"a": state, "b": A.LANDED})) == ()
    for state in (EntryState.BLOCKED, EntryState.HELD):
        stuck = a_view(*plans, states={"a": A.QUEUED, "b": A.LANDED}, entry_states={"a": state})
        assert decide(stuck) == (End(),)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_sentence(code: Code) -> None:
    said = sentence(reason(code, "other", "detail", run="r7", until="2026-11-21T15:00:00Z"))
    assert said
    assert "{" not in said
    assert said != str(code)


LIMITED = {"code": "rate-limit", "until": "2026-11-21T15:00:00Z", "detail": "too much"}


def test_p17_a_deferred_plan_waits_for_its_time_and_gives_its_place_to_others() -> None:
    view = a_view(
        a_plan("a", resources={"db": 1}),
        a_plan("b", resources={"db": 1}),
        jobs=1,
        states={"a": A.DEFERRED},
        limited={ID("a"): LIMITED},
    )
    assert decided(view) == {"a": Wait(ID("a"), LIMITED), "b": Start(ID("b"))}


def test_p17_its_time_over_it_goes_on_though_another_plan_has_failed_and_without_a_free_worktree() -> None:
    plans = (a_plan("a"), a_plan("b"), a_plan("c"))
    view = a_view(*plans, states={"a": A.DEFERRED, "b": A.FAILED}, places=Places(0))
    assert decided(view)["a"] == Start(ID("a"))
    assert why(view, "c") == {"code": "stopped", "plan": "b"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"jobs": 1}, "capacity"),
        ({"capacities": {"db": 1}}, "resource"),
        ({"host_lacks": {ID("a"): reason(Code.BUILD_SLOTS, detail="1")}}, "build-slots"),
    ],
)
def test_p17_what_it_gave_to_others_it_waits_for(fields: dict[str, Any], code: str) -> None:
    plans = (a_plan("a", resources={"db": 1}), a_plan("b", resources={"db": 1}))
    fields.setdefault("capacities", {"db": 2})
    view = a_view(*plans, states={"a": A.DEFERRED, "b": A.RUNNING}, **fields)
    assert why(view, "a")["code"] == code


def test_p17_it_does_not_go_on_beside_whom_it_must_not_run_with() -> None:
    plans = (a_plan("a", conflicts_with=(ID("b"),)), a_plan("b"))
    assert why(a_view(*plans, states={"a": A.DEFERRED, "b": A.RUNNING}), "a")["code"] == "conflicts-with"
    elsewhere = a_view(plans[0], states={"a": A.DEFERRED}, foreign=(foreign("b"),))
    assert why(elsewhere, "a") == {"code": "conflicts-with", "plan": "b", "run": "r0"}


def test_p17_nobody_starts_on_the_files_of_a_deferred_plan() -> None:
    plans = (a_plan("a", write=["x"]), a_plan("b", write=["x"]))
    view = a_view(*plans, states={"a": A.DEFERRED}, limited={ID("a"): LIMITED})
    assert why(view, "b")["code"] == "overlap"
    other = foreign("o", A.DEFERRED, meets={ID("b"): "x"})
    assert why(a_view(plans[1], foreign=(other,)), "b")["code"] == "overlap"


def test_p17_a_run_in_which_all_wait_for_a_limit_does_not_end() -> None:
    along = {**LIMITED, "plan": "a"}
    view = a_view(
        a_plan("a"), a_plan("b"), states={"a": A.DEFERRED}, limited={ID("a"): LIMITED, ID("b"): along}
    )
    assert decided(view) == {"a": Wait(ID("a"), LIMITED), "b": Wait(ID("b"), along)}
    elsewhere = a_view(a_plan("b"), limited={ID("b"): along})
    assert decided(elsewhere) == {"b": Wait(ID("b"), along)}


def test_p17_a_run_that_waits_in_vain_ends_though_a_limit_lasts_elsewhere() -> None:
    view = a_view(
        *(a_plan("a"), a_plan("b", "a")),
        states={"a": A.CONFLICTED, "b": A.WAITING},
        limited={ID("b"): {**LIMITED, "plan": "other"}},
    )
    assert decided(view)["b"] == Skip(ID("b"), why(view, "b"))
    assert why(view, "b")["code"] == "dependency-rejected"


def test_p17_held_for_more_than_there_is_by_now_it_is_given_up_and_does_not_wait_for_ever() -> None:
    plan = a_plan("a", resources={"db": 2}, phases=(Phase(PhaseId("1"), resources={"gpu": 2}),))
    view = a_view(plan, states={"a": A.DEFERRED}, capacities={"db": 2}, phases={("a", "1"): "c" * 40})
    assert decided(view) == {"a": Start(ID("a"))}, "what a complete phase wanted counts no more"
    less = replace(view, capacities={"db": 1})
    assert decided(less) == {"a": Skip(ID("a"), why(less, "a"))}
    assert why(less, "a")["code"] == "over-capacity"


def test_p17_where_another_run_has_begun_the_plan_anew_it_is_not_run_beside() -> None:
    view = a_view(a_plan("a"), states={"a": A.DEFERRED}, foreign=(foreign("a", A.PREPARING),))
    assert why(view, "a") == {"code": "plan-active", "run": "r0"}


def test_p17_without_the_memory_that_a_start_asks_for_it_does_not_go_on() -> None:
    short = MemoryShortage(Memory(total=8 * GIB, available=GIB), 2 * GIB)
    assert why(a_view(a_plan("a"), states={"a": A.DEFERRED}, memory=short), "a")["code"] == "memory-floor"
