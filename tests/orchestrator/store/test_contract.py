"""What every store promises; one suite for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.errors import IllegalTransitionError, StaleRecordError, UnknownRecordError
from orchestrator.states import (
    AttemptState,
    DeliveryState,
    EntryState,
    IntentState,
    RunState,
    SessionState,
    SlotState,
    TaskState,
)
from orchestrator.store.deliveryrecords import Delivery
from orchestrator.store.leaserecords import LeaseNote
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from orchestrator.store.records import Message, PhaseDone
from orchestrator.store.scopes import Scope
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.taskrecords import TaskRecord
from tests.support.records import (
    AT,
    a_lease,
    a_run,
    a_session,
    a_slot,
    a_verdict,
    a_wait,
    an_attempt,
    an_entry,
    an_intent,
)

LATER = "2026-11-21T00:57:01.123Z"


@pytest.fixture(params=["sqlite", "memory"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens the same store again and again, once a thread."""
    if request.param == "memory":
        shared = MemoryStore()
        return lambda: shared
    return lambda: open_sqlite(tmp_path / "state.db", SystemClock()).store


@pytest.fixture
def store(opener: Callable[[], Store]) -> Iterator[Store]:
    store = opener()
    yield store
    store.close()


def test_sessions_are_kept_and_found_by_state(store: Store) -> None:
    first, second = a_session("s1", task="api:1.1", terminal="pts/1"), a_session("s2", note="naïve \x00 ☃")
    store.add_session(first)
    store.add_session(second)
    assert store.session("s1") == first
    assert store.session("nobody") is None
    assert list(store.sessions()) == [first, second]
    ended = store.move_session(first, SessionState.ENDED, ended_at=LATER)
    assert (ended.state, ended.ended_at, ended.version) == (SessionState.ENDED, LATER, 1)
    assert list(store.sessions({SessionState.ACTIVE})) == [second]
    assert list(store.sessions({SessionState.ENDED, SessionState.STALE})) == [ended]
    assert list(store.sessions(set())) == []


def test_an_id_is_taken_once(store: Store) -> None:
    store.add_session(a_session())
    store.add_run(a_run())
    store.add_slot(a_slot())
    store.add_verdict(a_verdict())
    for add in (
        lambda: store.add_session(a_session(pid=7)),
        lambda: store.add_run(a_run(target="other")),
        lambda: store.add_slot(a_slot(path="/elsewhere")),
        lambda: store.add_verdict(a_verdict(passed=False)),
    ):
        with pytest.raises(StaleRecordError):
            add()
    assert store.session("s1") == a_session()
    assert store.slot("slot-01") == a_slot()


def test_a_write_over_another_write_is_refused(store: Store) -> None:
    session = a_session()
    store.add_session(session)
    store.move_session(session, SessionState.STALE)
    with pytest.raises(StaleRecordError):
        store.move_session(session, SessionState.ENDED)
    with pytest.raises(StaleRecordError):
        store.move_session(a_session("nobody"), SessionState.ENDED)
    assert store.session("s1").state is SessionState.STALE  # type: ignore[union-attr]


def test_a_write_is_refused_when_only_the_version_has_moved_on(store: Store) -> None:
    store.add_run(a_run())
    attempt = an_attempt()
    store.add_attempt(attempt)
    store.update_attempt(attempt, worktree="/w")
    with pytest.raises(StaleRecordError):
        store.update_attempt(attempt, worktree="/v")
    assert store.attempt("a1").worktree == "/w"  # type: ignore[union-attr]


def test_a_move_outside_the_table_is_refused_before_anything_is_written(store: Store) -> None:
    entry = store.add_entry(an_entry())
    landed = store.move_entry(entry, EntryState.LANDED)
    with pytest.raises(IllegalTransitionError):
        store.move_entry(landed, EntryState.DROPPED)
    assert store.entry("e1") == landed


def test_what_a_record_is_cannot_be_changed(store: Store) -> None:
    store.add_run(a_run())
    store.add_attempt(an_attempt())
    entry = store.add_entry(an_entry())
    with pytest.raises(ValueError, match="fixed when the attempt is made: run"):
        store.update_attempt(an_attempt(), run="r2")
    with pytest.raises(ValueError, match="state"):
        store.update_attempt(an_attempt(), state=AttemptState.LANDED)
    with pytest.raises(ValueError, match="sequence"):
        store.update_entry(entry, sequence=9)
    with pytest.raises(ValueError, match="arrival"):
        store.update_entry(entry, arrival=1)
    with pytest.raises(TypeError):
        store.update_attempt(an_attempt(), no_such_field=1)


def test_a_heartbeat_is_of_an_active_session_and_outdates_what_others_have_read(store: Store) -> None:
    session = a_session()
    store.add_session(session)
    assert store.beat("s1", expires=90.0, at=LATER, task="api:1.2")
    assert store.beat("s1", expires=91.0, at=LATER)
    beaten = store.session("s1")
    assert beaten is not None
    assert (beaten.expires, beaten.heartbeat_at, beaten.task) == (91.0, LATER, "api:1.2")
    with pytest.raises(StaleRecordError):  # a cleaner that judged by the old row
        store.move_session(session, SessionState.ENDED)
    store.move_session(beaten, SessionState.STALE)
    assert not store.beat("s1", expires=95.0, at=LATER)
    assert not store.beat("nobody", expires=95.0, at=LATER)


def test_s1_2_a_lease_excludes_until_it_ends(store: Store) -> None:
    first = store.grant(a_lease(session="s1", expires=60.0), now=0.0)
    assert first is not None
    assert first.token == 1
    assert (
        store.grant(a_lease(session="s2", expires=70.0), now=60.0) is None
    )  # the last moment is still its own
    assert store.lease("queue.main") == first
    assert store.renew(first, expires=80.0)
    assert store.grant(a_lease(session="s2", expires=140.0), now=61.0) is None
    assert store.release(first)
    assert not store.release(first)
    assert store.lease("queue.main") is None
    second = store.grant(a_lease(session="s2", expires=140.0), now=61.0)
    assert second is not None
    assert second.token == 2, "a token never falls, not even when the name was free in between"
    assert not store.renew(first, expires=200.0)
    assert not store.release(first)
    assert list(store.leases()) == [second]


@pytest.mark.parametrize(("now", "boot"), [(60.1, "boot-1"), (1.0, "boot-2")])
def test_an_expired_lease_or_one_of_another_boot_can_be_taken(store: Store, now: float, boot: str) -> None:
    first = store.grant(a_lease(expires=60.0), now=0.0)
    assert first is not None
    second = store.grant(a_lease(session="s2", boot=boot, expires=120.0), now=now)
    assert second is not None
    assert second.token > first.token
    assert not store.renew(first, expires=300.0)


def test_a_new_grant_to_the_same_session_outdates_the_old_one(store: Store) -> None:
    first = store.grant(a_lease(), now=0.0)
    second = store.grant(a_lease(), now=1.0)
    assert first is not None
    assert second is not None
    assert second.token > first.token
    assert not store.renew(first, expires=300.0)
    assert store.lease(second.name) == second
    assert not store.release(first)
    assert store.release(second)


def test_runs_and_attempts_come_back_as_they_were(store: Store) -> None:
    run = a_run(options={"jobs": 2, "paths": ["a", None, {"b": 1.5}]})
    store.add_run(run)
    attempt = an_attempt(
        reason={"code": "overlap", "detail": "src/é\udcff.py"},
        stacked_on=("1" * 40,),
        drift=("src/\udcff", "b"),
        counted=False,
        exit_code=-9,
        worktree="/w/\udcfe",
        priority=12.5,
    )
    store.add_attempt(attempt)
    assert store.run("r1") == run
    assert store.attempt("a1") == attempt
    finished = store.move_run(run, RunState.FINISHED, finished_at=LATER)
    assert list(store.runs({RunState.FINISHED})) == [finished]
    assert store.runs({RunState.ACTIVE}) == []


def test_tuples_inside_json_values_come_back_as_lists_from_every_store(store: Store) -> None:
    store.add_run(a_run(options={"pairs": ((1, 2),)}))
    assert store.run("r1").options == {"pairs": [[1, 2]]}  # type: ignore[union-attr]
    store.add_attempt(an_attempt())
    moved = store.update_attempt(an_attempt(), reason={"paths": ("a",)})
    assert moved.reason == {"paths": ["a"]}
    assert store.emit("x", at=AT, paths=("a",)).data == {"paths": ["a"]}
    with pytest.raises(TypeError):
        store.emit("x", at=AT, what=object())


def test_what_a_reader_does_with_its_copy_stays_its_own(store: Store) -> None:
    store.add_run(a_run())
    options = store.run("r1").options  # type: ignore[union-attr]
    options["check"].append("x")
    assert store.run("r1") == a_run()


def test_attempts_are_found_by_all_that_is_given(store: Store) -> None:
    store.add_run(a_run("r1"))
    store.add_run(a_run("r2"))
    one = an_attempt("a1", plan="web", run="r1")
    two = an_attempt("a2", plan="api", run="r1")
    three = an_attempt("a3", plan="web", run="r2", created_at="2020-01-01T00:00:00.000Z")
    for attempt in (one, two, three):
        store.add_attempt(attempt)
    two = store.move_attempt(two, AttemptState.WAITING, reason={"code": "capacity"})
    assert list(store.attempts()) == [one, two, three]
    assert list(store.attempts(run="r1")) == [one, two]
    assert list(store.attempts(plan="web")) == [one, three]
    assert list(store.attempts(run="r1", plan="web", states={AttemptState.PENDING})) == [one]
    assert list(store.attempts(states={AttemptState.WAITING})) == [two]
    assert list(store.latest_attempts()) == [two, three]


def test_attempts_since_are_those_that_have_not_ended_and_those_added_later(store: Store) -> None:
    for run in ("r1", "r2"):
        store.add_run(a_run(run))
    one = an_attempt("a1", plan="web")
    two = an_attempt("a2", plan="api")
    store.add_attempt(one)
    store.add_attempt(two)
    found, mark = store.attempts_since("r1", 0)
    assert list(found) == [one, two]
    two = store.move_attempt(two, AttemptState.CANCELLED)
    assert list(store.attempts_since("r1", mark)[0]) == [one]
    three = an_attempt("a3", plan="api", number=2)
    store.add_attempt(three)
    store.add_attempt(an_attempt("b1", plan="api", run="r2"))
    three = store.move_attempt(three, AttemptState.FAILED)
    found, later = store.attempts_since("r1", mark)
    assert list(found) == [one, three]
    assert list(store.attempts_since("r1", later)[0]) == [one]
    assert list(store.attempts_since("r1", 0)[0]) == [one, two, three]


def test_attempts_at_work_are_those_whose_worktree_may_be_written_or_was_since(store: Store) -> None:
    times = [f"2026-01-01T00:00:0{second}.000Z" for second in range(4)]
    for run in ("r1", "r2"):
        store.add_run(a_run(run))
    waits, works, done, never = (an_attempt(f"a{n}", plan=f"p{n}") for n in range(4))
    for attempt in (waits, works, done, never, an_attempt("b1", plan="p1", run="r2")):
        store.add_attempt(attempt)
    works = store.move_attempt(works, AttemptState.PREPARING)
    for key in ("b1", done.id):
        begun = store.attempt(key)
        assert begun is not None
        begun = store.move_attempt(begun, AttemptState.PREPARING, started_at=times[0])
        done = store.move_attempt(begun, AttemptState.FAILED, finished_at=times[2])
    store.move_attempt(never, AttemptState.CANCELLED, finished_at=times[2])
    assert list(store.attempts_at_work("r1", times[1])) == [works, done]
    assert list(store.attempts_at_work("r1", times[2])) == [works, done]
    assert list(store.attempts_at_work("r1", times[3])) == [works]


def test_an_attempt_that_has_ended_is_never_written_again(store: Store) -> None:
    store.add_run(a_run())
    store.add_attempt(an_attempt())
    ended = store.move_attempt(an_attempt(), AttemptState.FAILED)
    with pytest.raises(IllegalTransitionError):
        store.update_attempt(ended, reason={})
    assert store.attempt("a1") == ended


def test_one_attempt_at_a_plan_in_a_run_at_a_time(store: Store) -> None:
    store.add_run(a_run())
    first = an_attempt("a1", number=1)
    store.add_attempt(first)
    with pytest.raises(StaleRecordError):
        store.add_attempt(an_attempt("a2", number=2))
    first = store.move_attempt(first, AttemptState.FAILED)
    with pytest.raises(StaleRecordError):
        store.add_attempt(an_attempt("a2", number=1))
    store.add_attempt(an_attempt("a2", number=2))
    store.add_attempt(an_attempt("b1", plan="web"))


def test_a_rejected_attempt_is_not_queued_beside_a_newer_one(store: Store) -> None:
    store.add_run(a_run())
    rejected = an_attempt("a1", state=AttemptState.REJECTED)
    store.add_attempt(rejected)
    store.add_attempt(an_attempt("a2", number=2))
    with pytest.raises(StaleRecordError):
        store.move_attempt(rejected, AttemptState.QUEUED)


def test_an_attempt_belongs_to_a_run(store: Store) -> None:
    with pytest.raises(UnknownRecordError):
        store.add_attempt(an_attempt())


def test_phases_are_complete_once_and_the_last_word_counts(store: Store) -> None:
    store.complete_phase(PhaseDone("api", "1", "a1", "c1", AT))
    store.complete_phase(PhaseDone("web", "1", "a2", "c2", AT))
    store.complete_phase(PhaseDone("api", "1", "a3", "c3", LATER))
    assert list(store.phases_done()) == [
        PhaseDone("api", "1", "a3", "c3", LATER),
        PhaseDone("web", "1", "a2", "c2", AT),
    ]
    assert [done.plan for done in store.phases_done("web")] == ["web"]


def test_durations_are_medians_of_what_finished(store: Store) -> None:
    for number, (seconds, state) in enumerate(
        [(10, "landed"), (30, "finished"), (20, "rejected"), (999, "failed"), (40, "landed")]
    ):
        store.add_run(a_run(f"r{number}"))
        store.add_attempt(
            an_attempt(
                f"a{number}",
                run=f"r{number}",
                state=AttemptState(state),
                started_at="2026-11-21T00:00:00.000Z",
                finished_at=f"2026-11-21T00:{seconds // 60:02}:{seconds % 60:02}.000Z",
            )
        )
    store.add_attempt(an_attempt("b", plan="web", run="r1", state=AttemptState.LANDED))
    assert store.durations() == {"api": 25.0}


def test_s4_an_entry_is_queued_once_and_keeps_its_age(store: Store) -> None:
    first = store.add_entry(an_entry("e1", after=("db",), explicit_base=True, reason={"code": "x"}))
    second = store.add_entry(an_entry("e2", target="release"))
    assert (first.sequence, second.sequence) == (1, 2)
    assert store.entry("e1") == first
    moved = store.move_entry(first, EntryState.MERGING, attempts=1)
    assert store.add_entry(an_entry("e1", branch="other")) == moved
    assert list(store.entries()) == [moved, second]
    assert list(store.entries(target="release")) == [second]
    assert list(store.entries(states={EntryState.MERGING})) == [moved]
    assert store.update_entry(second, priority=99).priority == 99


def test_verdicts_are_found_by_tree_command_and_environment_newest_first(store: Store) -> None:
    first = a_verdict("v1", passed=None, exit_code=None, detail="no space")
    second = a_verdict("v2", passed=False, tainted=True, exit_code=1)
    for verdict in (first, second, a_verdict("v3", tree="t2"), a_verdict("v4", command="make lint")):
        store.add_verdict(verdict)
    assert list(store.verdicts("t1", "make test", "env")) == [second, first]
    assert list(store.verdicts("t1", "make test", "other")) == []
    elsewhere = a_verdict("v5", environment="other")
    store.add_verdict(elsewhere)
    assert list(store.verdicts("t1", "make test", None)) == [elsewhere, second, first]


def test_one_landing_at_a_time_on_a_target(store: Store) -> None:
    intent = an_intent(checkouts=("/repo/.git",))
    store.add_intent(intent)
    with pytest.raises(StaleRecordError):
        store.add_intent(an_intent("i2"))
    store.add_intent(an_intent("i3", target="refs/heads/release"))
    done = store.move_intent(intent, IntentState.DONE)
    store.add_intent(an_intent("i2"))
    assert [i.id for i in store.intents({IntentState.OPEN})] == ["i3", "i2"]
    assert list(store.intents({IntentState.DONE})) == [done]


def test_slots_are_found_by_name_purpose_and_state(store: Store) -> None:
    for slot in (a_slot("slot-02"), a_slot("slot-01"), a_slot("check-01", purpose="check")):
        store.add_slot(slot)
    leased = store.move_slot(a_slot("slot-01"), SlotState.LEASED, session="s1", plan="api", attempt="a1")
    assert store.slot("slot-01") == leased
    assert [s.name for s in store.slots(purpose="plan")] == ["slot-01", "slot-02"]
    assert list(store.slots(states={SlotState.LEASED})) == [leased]
    assert [s.name for s in store.slots()] == ["check-01", "slot-01", "slot-02"]


def test_events_are_numbered_and_read_on_from_any_point(store: Store) -> None:
    for number in range(5):
        store.emit("plan.waiting", at=AT, run="r1" if number % 2 else "r2", plan="api", n=number)
    assert [e.sequence for e in store.events_after(0)] == [1, 2, 3, 4, 5]
    assert [e.data["n"] for e in store.events_after(2, run="r1")] == [3]
    assert [e.sequence for e in store.events_after(1, limit=2)] == [2, 3]
    assert store.events_after(5) == []


def test_values_are_set_and_removed(store: Store) -> None:
    assert store.value("queue.main.paused") is None
    store.set_value("queue.main.paused", "by Ada: \udcff")
    store.set_value("queue.main.paused", "target-red")
    assert store.value("queue.main.paused") == "target-red"
    store.set_value("queue.main.paused", None)
    store.set_value("queue.main.paused", None)
    assert store.value("queue.main.paused") is None


def test_s3_2_what_is_old_is_forgotten_and_its_numbers_are_not_given_again(store: Store) -> None:
    store.emit("old", at="2026-01-01T00:00:00.000Z")
    store.emit("old too", at="2026-01-02T00:00:00.000Z")
    ended = a_session("s1", state=SessionState.ENDED, ended_at="2026-01-01T00:00:00.000Z")
    store.add_session(ended)
    store.add_session(a_session("s2", started_at="2026-01-01T00:00:00.000Z"))
    store.add_session(a_session("s3", state=SessionState.ENDED, ended_at=LATER))
    assert store.prune(events="", sessions="") == 0
    assert store.prune(events="", sessions=AT) == 1
    assert store.prune(events=AT, sessions="") == 2
    assert [s.id for s in store.sessions()] == ["s2", "s3"]
    assert store.emit("new", at=AT).sequence == 3


def test_a_transaction_happens_whole_or_not_at_all(store: Store) -> None:
    store.add_run(a_run())
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012 - what came before is the point
        store.add_attempt(an_attempt())
        store.emit("plan.started", at=AT)
        store.grant(a_lease(), now=0.0)
        store.set_value("k", "v")
        raise RuntimeError
    assert store.attempts() == []
    assert store.events_after(0) == []
    assert store.leases() == []
    assert store.value("k") is None
    with store.transaction():
        store.add_attempt(an_attempt())
        assert store.emit("plan.started", at=AT).sequence == 1
        lease = store.grant(a_lease(), now=0.0)
    assert lease is not None
    assert lease.token == 1
    assert store.attempts() == [an_attempt()]


def test_a_nested_transaction_joins_and_is_undone_alone(store: Store) -> None:
    with store.transaction():
        store.set_value("outer", "1")
        with store.transaction():
            store.set_value("inner", "1")
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012 - as above
            store.set_value("outer", "2")
            store.set_value("undone", "1")
            raise RuntimeError
        assert store.value("outer") == "1"
    assert [store.value(k) for k in ("outer", "inner", "undone")] == ["1", "1", None]
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012 - as above
        with store.transaction():
            store.set_value("inner", "2")
        raise RuntimeError
    assert store.value("inner") == "1"


def test_what_is_to_follow_a_commit_is_done_after_it_and_never_for_what_was_undone(store: Store) -> None:
    done: list[str] = []
    store.after_commit(lambda: done.append("at once"))
    with store.transaction():
        with store.transaction():
            store.after_commit(lambda: done.append("inner"))
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012 - as above
            store.after_commit(lambda: done.append("undone"))
            raise RuntimeError
        assert done == ["at once"]
    assert done == ["at once", "inner"]
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012 - as above
        store.after_commit(lambda: done.append("undone"))
        raise RuntimeError
    with store.transaction():
        store.after_commit(lambda: store.emit("plan.started", at=AT))
    assert done == ["at once", "inner"]
    assert len(store.events_after(0)) == 1


def test_a_refused_write_inside_a_transaction_leaves_the_rest(store: Store) -> None:
    session = a_session()
    with store.transaction():
        store.add_session(session)
        with pytest.raises(StaleRecordError):
            store.add_session(session)
        store.set_value("k", "v")
    assert store.session("s1") == session
    assert store.value("k") == "v"


def test_s4_1_of_many_threads_exactly_one_wins(opener: Callable[[], Store]) -> None:
    store = opener()
    entry = store.add_entry(an_entry())
    threads, gate = 8, threading.Barrier(8)

    def race(number: int) -> tuple[bool, int | None]:
        mine = opener()
        gate.wait()
        lease = mine.grant(a_lease(session=f"s{number}"), now=0.0)
        try:
            mine.move_entry(entry, EntryState.MERGING, reason={"by": number})
            moved = True
        except StaleRecordError:
            moved = False
        mine.close()
        return moved, lease.token if lease else None

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(race, range(threads)))
    assert sum(moved for moved, _ in found) == 1
    assert sorted(token for _, token in found if token) == [1]
    store.close()


def test_a_writer_waits_for_the_end_of_another(opener: Callable[[], Store]) -> None:
    store = opener()
    inside = threading.Event()

    def write() -> None:
        mine = opener()
        with mine.transaction():
            mine.set_value("a", "1")
            inside.set()
            mine.set_value("b", "1")
        mine.close()

    thread = threading.Thread(target=write)
    thread.start()
    inside.wait()
    with store.transaction():
        seen = (store.value("a"), store.value("b"))
    thread.join()
    assert seen == ("1", "1")
    store.close()


def test_health_says_what_it_is_and_that_it_is_whole(store: Store) -> None:
    health = store.health()
    assert {"kind", "version", "integrity", "path"} <= health.keys()
    assert health["integrity"] == "ok"


def test_closing_twice_is_harmless(opener: Callable[[], Store]) -> None:
    store = opener()
    store.close()
    store.close()


def test_moved_records_equal_what_is_read(store: Store) -> None:
    store.add_run(a_run())
    store.add_attempt(an_attempt())
    moved = store.move_attempt(
        an_attempt(), AttemptState.PREPARING, slot="slot-01", stacked_on=["x"], reason={"a": (1,)}
    )
    assert moved == store.attempt("a1")
    assert moved == replace(
        an_attempt(),
        state=AttemptState.PREPARING,
        slot="slot-01",
        stacked_on=("x",),
        reason={"a": [1]},
        version=1,
    )


def test_readers_share_a_name_and_each_has_a_token_of_its_own(store: Store) -> None:
    first = store.grant(a_lease(session="s1", scope=Scope.READ, branch="main"), now=0.0)
    second = store.grant(a_lease(session="s2", scope=Scope.READ, branch="main"), now=0.0)
    assert first
    assert second
    assert store.grant(a_lease(session="s3"), now=1.0) is None
    assert list(store.leases("queue.main")) == [first, second]
    assert list(store.leases(session="s2")) == [second]
    assert store.lease("queue.main") == first
    assert not store.release(replace(second, session="s1")), "the token of another"
    assert store.release(first)
    assert store.grant(a_lease(session="s3"), now=61.0).token == 3  # type: ignore[union-attr]
    assert [lease.session for lease in store.leases()] == ["s3"], "what had run out in its way is over"


def test_a_session_renews_all_that_it_holds_and_nothing_of_others(store: Store) -> None:
    mine = store.grant(a_lease("a", "s1", expires=60.0), now=0.0)
    late = store.grant(a_lease("b", "s1", expires=500.0), now=0.0)
    other = store.grant(a_lease("c", "s2", expires=60.0), now=0.0)
    assert mine
    assert store.renew_all("s1", boot="boot-1", expires=100.0) == 2
    assert list(store.leases()) == [replace(mine, expires=100.0), late, other]
    assert store.renew_all("s1", boot="boot-2", expires=900.0) == 0


def test_waits_stand_in_the_order_of_their_tickets(store: Store) -> None:
    first, second = store.add_wait(a_wait("ada")), store.add_wait(a_wait("bob", patterns=("src/**",)))
    assert first.ticket < second.ticket
    assert list(store.waits()) == list(store.waits("queue.main")) == [first, second]
    assert list(store.waits("other")) == []
    assert store.keep_wait(first.ticket, expires=99.0)
    assert store.waits()[0] == replace(first, expires=99.0)
    assert store.drop_wait(first.ticket)
    assert not store.drop_wait(first.ticket)
    assert not store.keep_wait(first.ticket, expires=100.0)
    assert store.add_wait(a_wait("ada")).ticket > second.ticket
    assert store.drop_waits_of("ada") == 1
    assert list(store.waits()) == [second]


def test_notes_on_leases_are_found_newest_first_and_pruned_with_events(store: Store) -> None:
    note = LeaseNote(AT, "granted", "x", Scope.READ, "main", ("src/**",), "ada", 7, 1.5, "naïve ☃")
    first = store.note_lease(note)
    second = store.note_lease(replace(note, at=LATER, action="released", name="y"))
    assert (first.sequence, second.sequence) == (1, 2)
    assert list(store.lease_notes()) == [second, first]
    assert list(store.lease_notes("x")) == list(store.lease_notes(action="granted")) == [first]
    assert list(store.lease_notes(limit=1)) == [second]
    assert store.prune(events=LATER, sessions="") == 1
    assert list(store.lease_notes()) == [second]


def test_messages_are_unread_until_they_are_marked(store: Store) -> None:
    sent = [store.add_message(Message(AT, "ada", to, f"for {to} ☃")) for to in ("bob", "cleo", "bob")]
    assert [m.sequence for m in sent] == [1, 2, 3]
    assert list(store.unread("bob")) == [sent[0], sent[2]]
    assert store.mark_read("bob", sequence=1, at=LATER) == 1
    assert list(store.unread("bob")) == [sent[2]]
    assert list(store.unread("cleo")) == [sent[1]]
    assert store.prune(events=LATER, sessions="") == 3


def test_what_a_session_says_of_itself_is_kept(store: Store) -> None:
    child = {"pid": 7, "started": 1.5}
    session = a_session("s1", agent="claude", container="docker", labels=("python", "ü"), children=(child,))
    store.add_session(session)
    assert store.session("s1") == session
    stale = store.move_session(session, SessionState.STALE, labels=())
    assert store.session("s1") == stale
    assert stale.labels == ()
    left = store.update_session(stale, left_behind=("/pool/slot-01", "/pool/nä\udcff"), children=())
    assert store.session("s1") == left
    assert (left.state, left.left_behind[0], left.children) == (SessionState.STALE, "/pool/slot-01", ())
    with pytest.raises(StaleRecordError):
        store.update_session(stale, note="late")


def test_tasks_move_by_their_table_and_only_as_they_were_read(store: Store) -> None:
    made = TaskRecord("api:1.1", "api", "1.1")
    store.add_task(made)
    store.add_task(TaskRecord("web:1", "web", "1"))
    with pytest.raises(StaleRecordError):
        store.add_task(made)
    assert store.task("api:1.1") == made
    assert store.task("api:9") is None
    claimed = store.move_task(made, TaskState.CLAIMED, claimed_by="ada", token=3, worktree="/w/\udcff")
    assert store.task("api:1.1") == claimed
    assert list(store.tasks(claimed_by="ada")) == list(store.tasks(plan="api")) == [claimed]
    assert len(store.tasks()) == 2
    with pytest.raises(StaleRecordError):
        store.move_task(made, TaskState.CLAIMED, claimed_by="bob")
    done = store.move_task(claimed, TaskState.COMPLETED, duration_seconds=1.5, result="naïve ☃")
    assert store.task("api:1.1") == done
    with pytest.raises(IllegalTransitionError):
        store.move_task(done, TaskState.OPEN)
    with pytest.raises(ValueError, match="plan"):
        store.move_task(done, TaskState.CLAIMED, plan="web")


def test_deliveries_are_there_once_found_by_channel_and_state_and_pruned_with_events(store: Store) -> None:
    first = Delivery("1-team", "team", "landed", "entry e1", "", AT, {"title": "t"}, changed_at=AT)
    second = Delivery("2-team", "team", "waiting", "entry e2", "policy", AT, changed_at=LATER)
    other = Delivery("1-log", "log", "landed", "entry e1", "", AT, changed_at=LATER)
    for one in (first, second, other):
        store.add_delivery(one)
    with pytest.raises(StaleRecordError):
        store.add_delivery(first)
    assert list(store.deliveries(channel="team")) == [first, second]
    claimed = store.move_delivery(first, DeliveryState.SENDING, session="s1", tries=1)
    with pytest.raises(StaleRecordError):
        store.move_delivery(first, DeliveryState.SENDING, session="s2", tries=1)
    with pytest.raises(IllegalTransitionError):
        store.move_delivery(second, DeliveryState.SENT)
    assert list(store.deliveries(states={DeliveryState.SENDING})) == [claimed]
    assert list(store.due_deliveries("team")) == [claimed, second]
    sent = store.move_delivery(claimed, DeliveryState.SENT)
    assert list(store.due_deliveries("team")) == [second]
    assert store.newest_delivery("team", "entry e1") == sent
    assert store.newest_delivery("log", "entry e2") is None
    assert (store.last_event(), store.emit("x", at=LATER).sequence, store.last_event()) == (0, 1, 1)
    assert store.prune(events=LATER, sessions="") == 1
    assert list(store.deliveries()) == [second, other]
