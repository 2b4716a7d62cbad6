"""What ``metrics`` is made of, from both stores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.states import AttemptState, EntryState, TaskState
from orchestrator.store.measures import ENDS, MARK, Span, Sum, Work
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from orchestrator.store.sqlite.named import family
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.taskrecords import TaskRecord
from tests.support.records import a_run, a_verdict, an_attempt, an_entry


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore()
    if request.param == "sqlite":
        made = open_sqlite(tmp_path / "state.db", SystemClock()).store
    yield made
    made.close()


def at(second: float) -> str:
    return f"2026-11-21T00:{int(second) // 60:02}:{second % 60:06.3f}Z"


def emit(store: Store, second: float, event: str, plan: str | None = "api", **data: object) -> None:
    store.emit(event, at=at(second), run="r1", plan=plan, **data)


def a_wait_of(store: Store, begin: float, end: float, code: str, plan: str = "api") -> None:
    emit(store, begin, "plan.waiting", plan, reason={"code": code})
    emit(store, end, "plan.preparing", plan)


def test_s4_12_waits_end_with_what_comes_next_of_the_same_plan(store: Store) -> None:
    emit(store, 1, "plan.waiting", "a", reason={"code": "overlap"})
    emit(store, 2, "plan.waiting", "b", reason={"code": "capacity"})
    store.emit("plan.waiting", at=at(3), run="r2", plan="a", reason={"code": "disk-floor"})
    emit(store, 4, "plan.waiting", "a", reason={"code": "dependency"})
    emit(store, 5, "worktree.rescued", "a")
    emit(store, 6, "plan.preparing", "a")
    emit(store, 7, "plan.deferred", "a", reason={"code": "rate-limit"})
    emit(store, 9, "run.interrupted", None)
    assert [one[1:] for one in store.sums() if one.name == "wait"] == [
        ("capacity", 1, pytest.approx(7)),
        ("dependency", 1, pytest.approx(2)),
        ("overlap", 1, pytest.approx(3)),
        ("rate-limit", 1, pytest.approx(2)),
    ]


def test_s4_12_what_ends_a_wait_is_the_same_in_the_query() -> None:
    assert set(re.findall(r"'((?:plan|run|entry)[.][a-z]+)'", family("metrics")["waits"].sql)) == ENDS


def test_s4_12_a_clock_that_was_set_back_makes_no_wait_shorter_than_nothing(store: Store) -> None:
    a_wait_of(store, 50, 20, "overlap")
    assert Sum("wait", "overlap", 1, 0.0) in store.sums()


def test_s4_12_sums_of_events_waits_and_labels(store: Store) -> None:
    a_wait_of(store, 1, 3.5, "overlap")
    a_wait_of(store, 10, 11, "overlap", "web")
    emit(store, 12, "task.completed", labels=["python", "docs"], seconds=4.0)
    emit(store, 13, "task.completed", seconds=None)
    assert store.sums() == [
        Sum("event", "plan.preparing", 2, 0.0),
        Sum("event", "plan.waiting", 2, 0.0),
        Sum("event", "task.completed", 2, 0.0),
        Sum("label", "docs", 1, 4.0),
        Sum("label", "python", 1, 4.0),
        Sum("wait", "overlap", 2, pytest.approx(3.5)),
    ]
    assert store.sums(at(11)) == [
        Sum("event", "plan.preparing", 1, 0.0),
        Sum("event", "task.completed", 2, 0.0),
        Sum("label", "docs", 1, 4.0),
        Sum("label", "python", 1, 4.0),
    ]


@pytest.mark.parametrize("pruned_at", [0, 5, 11, 25, 60])
def test_s4_12_what_was_counted_never_falls_when_events_are_pruned(store: Store, pruned_at: int) -> None:
    a_wait_of(store, 1, 3, "overlap")
    emit(store, 20, "plan.waiting", "web", reason={"code": "capacity"})
    a_wait_of(store, 30, 31, "overlap")
    emit(store, 40, "plan.preparing", "web")
    before = store.sums()
    for _ in range(2):
        store.prune(events=at(pruned_at), sessions="")
    assert store.sums() == before
    assert store.value(MARK) == "6"
    a_wait_of(store, 50, 52, "overlap")
    assert Sum("wait", "overlap", 3, pytest.approx(5)) in store.sums()


def test_s4_12_a_wait_that_has_not_ended_keeps_the_mark_behind_it_until_it_is_pruned(store: Store) -> None:
    emit(store, 1, "run.started", None)
    emit(store, 2, "plan.waiting", "web", reason={"code": "capacity"})
    a_wait_of(store, 3, 4, "overlap")
    store.sum_up()
    assert store.value(MARK) == "1"
    emit(store, 9, "plan.preparing", "web")
    assert Sum("wait", "capacity", 1, pytest.approx(7)) in store.sums()
    store.sum_up()
    assert store.value(MARK) == "5"
    emit(store, 10, "plan.waiting", "web", reason={"code": "capacity"})
    store.prune(events=at(30), sessions="")
    assert store.value(MARK) == "6"
    assert Sum("wait", "capacity", 1, pytest.approx(7)) in store.sums()


def test_s4_12_spans_and_states(store: Store) -> None:
    store.add_run(a_run())
    done = an_attempt("a1", started_at=at(1), finished_at=at(5), state=AttemptState.LANDED, entry="e1")
    store.add_attempt(done)
    store.add_attempt(
        an_attempt("a2", plan="web", number=1, started_at=at(1), finished_at=at(9), state=AttemptState.FAILED)
    )
    store.add_attempt(an_attempt("a3", plan="web", number=2))
    store.add_entry(an_entry("e1", state=EntryState.LANDED, queued_at=at(5), finished_at=at(8), attempt="a1"))
    store.add_verdict(a_verdict("v1", passed=False, seconds=2.5, finished_at=at(8)))
    store.add_verdict(a_verdict("v2", passed=None, seconds=1.5, finished_at=at(30)))
    task = TaskRecord("api:1", "api", "1")
    store.add_task(task)
    task = store.move_task(task, TaskState.CLAIMED, claimed_by="s7")
    store.move_task(task, TaskState.COMPLETED, completed_at=at(9), duration_seconds=6.0)
    assert sorted(store.spans()) == [
        Span("check", "none", 1.5),
        Span("check", "red", 2.5),
        Span("plan", "", pytest.approx(4, abs=1e-3)),
        Span("queue", "", pytest.approx(3, abs=1e-3)),
        Span("task", "", 6.0),
    ]
    assert store.spans(at(20)) == [Span("check", "none", 1.5)]
    assert (store.ended_attempts(), store.ended_attempts(at(6))) == (
        {"landed": 1, "failed": 1},
        {"failed": 1},
    )
    assert store.first_queued() == at(5)
    assert store.plan_states() == {"landed": 1, "pending": 1}
    assert store.work(at(9)) == [Work("s7", 1, 6.0, 0)]
    assert store.work() == [Work("s1", 0, 0.0, 1), Work("s7", 1, 6.0, 0)]


def test_s4_12_an_entry_that_is_dropped_takes_no_count_back(store: Store) -> None:
    """Its command came to a good end; the summary of Prometheus counts how many did, and must not fall."""
    store.add_run(a_run())
    ran = {"started_at": at(1), "finished_at": at(11), "exit_code": 0}
    store.add_attempt(an_attempt("a1", state=AttemptState.QUEUED, **ran))
    store.add_attempt(
        an_attempt("a2", plan="b", state=AttemptState.CANCELLED, started_at=at(1), finished_at=at(2))
    )
    before = store.spans()
    attempt = store.attempt("a1")
    assert attempt is not None
    store.move_attempt(attempt, AttemptState.CANCELLED)
    assert [one.kind for one in before] == ["plan"]
    assert store.spans() == before


def test_s4_12_a_label_that_is_not_unicode_hurts_nobody(store: Store) -> None:
    """``session start --label $'\\xff'``: it must not end each run from then on with an error."""
    emit(store, 1, "task.completed", None, labels=["\udcff", 'a"b\nc'], seconds=3.0)
    a_wait_of(store, 2, 4, "\udcff x")
    expected = [
        Sum("label", r"\udcff", 1, 3.0),
        Sum("label", 'a"b\nc', 1, 3.0),
        Sum("wait", r"\udcff x", 1, 2.0),
    ]
    assert [one for one in store.sums() if one.name != "event"] == expected
    store.sum_up()
    assert [one for one in store.sums() if one.name != "event"] == expected
