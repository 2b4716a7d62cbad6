from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock, boot_id
from orchestrator.errors import BusyError, LeaseLostError
from orchestrator.leases.heartbeat import Pace
from orchestrator.leases.kernel_lock import KernelLock
from orchestrator.sessions import identity
from orchestrator.sessions.cleanup import bury, reap
from orchestrator.sessions.death import is_abandoned
from orchestrator.sessions.identity import here, is_alive, started
from orchestrator.sessions.registry import start_session
from orchestrator.sessions.staleness import Judgement, judged, orphaned
from orchestrator.states import AttemptState, SessionState, TaskState
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.taskrecords import TaskRecord
from tests.support.clock import FakeClock
from tests.support.faces import add_dead_session
from tests.support.process import until
from tests.support.records import a_lease, a_run, a_session, a_wait, an_attempt

CLOCK = SystemClock()
BUSY = Pace(every=0.005)
IDLE = Pace(every=1000)


@pytest.fixture
def factory(tmp_path: Path) -> Callable[[], Store]:
    return lambda: open_sqlite(tmp_path / "state.db", CLOCK, verify=False).store


@pytest.fixture
def store(factory: Callable[[], Store]) -> Iterator[Store]:
    with contextlib.closing(factory()) as store:
        yield store


def test_a_session_is_this_process_and_ends_with_its_leases(
    factory: Callable[[], Store], store: Store
) -> None:
    with start_session(factory, CLOCK, "run", note="run-multi a b", pace=IDLE) as handle:
        session = store.session(handle.id)
        assert session is not None
        assert (session.kind, session.pid, session.note) == ("run", os.getpid(), "run-multi a b")
        assert is_alive(session.pid, session.process_started, session.boot, session.host)
        held = handle.hold("queue.main", "landing")
        handle.hold("slot-01")
        handle.check()
        assert held.token == 1
    assert store.leases() == []
    ended = store.session(handle.id)
    assert ended is not None
    assert ended.state is SessionState.ENDED
    handle.end()
    assert not any(t.name == "planctl-heartbeat" for t in threading.enumerate())


def test_what_is_held_is_busy_for_others_and_for_oneself(factory: Callable[[], Store]) -> None:
    with (
        start_session(factory, CLOCK, "run", pace=IDLE) as one,
        start_session(factory, CLOCK, "queue", pace=IDLE) as two,
    ):
        assert one.id != two.id  # S1.15
        with one.hold("queue.main", "landing"):
            with pytest.raises(BusyError, match=f"run {one.id} .pid {os.getpid()} on .*: landing"):
                two.hold("queue.main")
            with pytest.raises(BusyError, match="this session"):
                one.hold("queue.main")
        with two.hold("queue.main") as held:
            assert held.token == 2
        with one.wait_for("queue.main"):
            pass


def test_the_heartbeat_carries_on_session_lease_and_task(factory: Callable[[], Store], store: Store) -> None:
    with start_session(factory, CLOCK, "run", pace=BUSY) as handle:
        held = handle.hold("queue.main")
        first = store.lease("queue.main")
        handle.work_on("api:1.1")
        assert first is not None
        until(lambda: (now := store.lease("queue.main")) is None or now.expires != first.expires)
        until(lambda: (session := store.session(handle.id)) is None or session.task == "api:1.1")
        assert store.session(handle.id) is not None
        handle.check()
        held.check()


@pytest.mark.parametrize(
    ("state", "run_lives", "kept"),
    [
        (AttemptState.RUNNING, True, True),
        (AttemptState.RUNNING, False, False),
        (AttemptState.DEFERRED, True, False),
        (AttemptState.FINISHED, True, False),
    ],
)
def test_s4_6_between_two_commands_of_an_attempt_its_session_lives(
    factory: Callable[[], Store],
    store: Store,
    tmp_path: Path,
    state: AttemptState,
    run_lives: bool,
    kept: bool,
) -> None:
    """Whoever asks just then does not get what the next command is to go on with."""
    with start_session(factory, CLOCK, "run", pace=IDLE) as run:
        conductor = run.id
        if not run_lives:
            conductor = add_dead_session(store, "killed").id
        store.add_run(a_run(session=conductor))
        store.add_attempt(an_attempt(state=state))
        add_dead_session(store, "a1", kind="agent")
        lease = a_lease("build", "a1", boot=boot_id(), expires=CLOCK.monotonic() + 60)
        assert store.grant(lease, now=0.0) is not None
        reap(store, CLOCK, tmp_path / "cleanup.lock")
        assert bury(store, CLOCK, ["a1"]) is False
        assert [one.name for one in store.leases("build")] == ["build"] * kept
        session = store.session("a1")
        assert session is not None
        assert (session.state is SessionState.ACTIVE) is kept


def test_s1_2_a_vanished_session_row_stops_the_work(factory: Callable[[], Store], store: Store) -> None:
    with start_session(factory, CLOCK, "run", pace=BUSY) as handle:
        held = handle.hold("queue.main")
        end_behind_its_back(store, handle.id)
        assert handle.lost.wait(20)
        assert held.lost.wait(20)
        with pytest.raises(LeaseLostError, match="ended by another process"):
            handle.check()
        with pytest.raises(LeaseLostError):
            held.check()


def end_behind_its_back(store: Store, key: str) -> None:
    with store.transaction():  # no beat can come in between
        session = store.session(key)
        assert session is not None
        store.move_session(session, SessionState.ENDED)


def test_a_session_found_stale_that_still_beats_is_active_again(
    factory: Callable[[], Store], store: Store
) -> None:
    with start_session(factory, CLOCK, "run", pace=BUSY) as handle:
        with store.transaction():
            session = store.session(handle.id)
            assert session is not None
            store.move_session(session, SessionState.STALE)
        until(lambda: not store.sessions({SessionState.STALE}))
        handle.check()
        assert not handle.lost.is_set()


CHILD = """
import sys
from pathlib import Path
from orchestrator.clock import SystemClock
from orchestrator.leases.heartbeat import Pace
from orchestrator.sessions.registry import start_session
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.taskrecords import TaskRecord
path, expiry = Path(sys.argv[1]), float(sys.argv[2])
with start_session(lambda: open_sqlite(path, SystemClock()).store, SystemClock(), "run",
                   pace=Pace(every=0.01, expiry=expiry)) as handle:
    held = handle.hold("queue.main")
    print(handle.id, held.token, flush=True)
    sys.stdin.readline()
    held.lost.wait(20)
    print("lost" if held.lost.is_set() else "kept", held.release(), flush=True)
"""


@contextlib.contextmanager
def a_holder(path: Path, expiry: float) -> Iterator[tuple[subprocess.Popen[str], str]]:
    argv = [sys.executable, "-c", CHILD, str(path), str(expiry)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            key, token = child.stdout.readline().split()
            assert token == "1"
            yield child, key
        finally:
            child.kill()


def test_a_killed_process_is_proven_dead_and_its_lease_taken_over(
    tmp_path: Path, store: Store, factory: Callable[[], Store]
) -> None:
    with a_holder(tmp_path / "state.db", 60) as (child, key):
        assert reap(store, CLOCK, tmp_path / "lock").ended == ()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
        done = reap(store, CLOCK, tmp_path / "lock")
    assert [s.id for s in done.ended] == [key]
    assert [lease.name for lease in done.released] == ["queue.main"]
    assert store.session(key).state is SessionState.ENDED  # type: ignore[union-attr]
    with start_session(factory, CLOCK, "run", pace=IDLE) as handle, handle.hold("queue.main") as held:
        assert held.token == 2
    assert reap(store, CLOCK, tmp_path / "lock").ended == ()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
def test_a_stopped_holder_wakes_up_to_a_lost_lease_and_changes_nothing(
    tmp_path: Path, store: Store, factory: Callable[[], Store]
) -> None:
    with a_holder(tmp_path / "state.db", 0.3) as (child, key):
        with store.transaction():  # so that it is not stopped while it holds the store's own lock
            child.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        with start_session(factory, CLOCK, "run", pace=IDLE) as handle:
            held = handle.wait_for("queue.main")
            assert held.token == 2
            done = reap(store, CLOCK, tmp_path / "lock")
            assert done.ended == ()  # a living process is never ended, however late it is
            assert [s.id for s in done.stale] == [key]
            child.send_signal(signal.SIGCONT)
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("\n")
            child.stdin.flush()
            assert child.stdout.readline().split() == ["lost", "False"]
            held.check()
            assert store.lease("queue.main").token == 2  # type: ignore[union-attr]


def test_s0_4_a_second_cleaner_skips_and_says_so(tmp_path: Path) -> None:
    store, clock = MemoryStore(), FakeClock()
    store.add_session(a_session(boot="gone"))
    with KernelLock(tmp_path / "lock", clock, "cleanup").held():
        done = reap(store, clock, tmp_path / "lock")
    assert done.skipped is not None
    assert f"pid {os.getpid()}" in done.skipped
    assert store.session("s1") == a_session(boot="gone")
    assert [s.id for s in reap(store, clock, tmp_path / "lock").ended] == ["s1"]


def test_a_session_that_beats_while_it_is_judged_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = MemoryStore(), FakeClock()
    store.add_session(a_session(boot="boot-1", expires=0.0))

    def beats_now(*_: object, **__: object) -> bool:
        store.beat("s1", expires=5000.0, at=clock.now())
        return True

    monkeypatch.setattr("orchestrator.sessions.death.is_alive", beats_now)
    assert reap(store, clock, tmp_path / "lock").stale == ()
    assert store.session("s1").state is SessionState.ACTIVE  # type: ignore[union-attr]


def test_s3_2_staleness_is_a_function_of_what_is_known() -> None:
    fresh = a_session("fresh", expires=60.0)
    sessions = [
        fresh,
        replace(fresh, id="late", expires=10.0),
        replace(fresh, id="other boot", boot="boot-0"),
        replace(fresh, id="dead"),
        replace(fresh, id="stale already", expires=10.0, state=SessionState.STALE),
        replace(fresh, id="ended", expires=10.0, state=SessionState.ENDED),
    ]
    found = judged(sessions, now=60.0, boot="boot-1", dead={"dead", "ended"})
    assert found == {
        "fresh": Judgement.KEEP,
        "late": Judgement.STALE,
        "other boot": Judgement.STALE,
        "dead": Judgement.END,
        "stale already": Judgement.KEEP,
        "ended": Judgement.KEEP,
    }


def test_s3_7_a_lease_is_an_orphan_when_too_old_and_its_session_gone_both() -> None:
    alive, ended = a_session("alive"), a_session("ended", state=SessionState.ENDED)
    leases = [
        a_lease("old, alive", session="alive", expires=1.0),
        a_lease("young, ended", session="ended", expires=99.0),
        a_lease("old, ended", session="ended", expires=1.0),
        a_lease("old, unknown", session="nobody", expires=1.0),
        a_lease("other boot, unknown", session="nobody", boot="boot-0", expires=99.0),
    ]
    found = orphaned(leases, {s.id: s for s in (alive, ended)}, now=50.0, boot="boot-1")
    assert [lease.name for lease in found] == ["old, ended", "old, unknown", "other boot, unknown"]


def test_a_process_is_alive_until_the_contrary_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    pid, boot, host = os.getpid(), boot_id(), here()
    mine = started(pid)
    assert mine is not None
    assert is_alive(pid, mine, boot, host)
    assert not is_alive(pid, mine, "another boot", host)
    assert not is_alive(pid, mine - 5, boot, host)
    assert is_alive(pid, 0.0, boot, host)  # when it started is not known: it may well be the one
    assert not is_alive(-1, mine, boot, host)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        gone, since = child.pid, started(child.pid)
        assert since is not None
        assert is_alive(gone, since, boot, host)
    assert not is_alive(gone, since, boot, host)
    assert is_alive(gone, since, boot, "here/pid:[4026532999]")  # another container's: not seen from here
    monkeypatch.setattr(identity, "_stat", lambda _: None)  # hidden from this user
    monkeypatch.setattr(identity, "_start_by_psutil", lambda _: None)
    assert is_alive(pid, mine, boot, host)


def test_a_wait_is_abandoned_when_its_process_is_proven_gone() -> None:
    """Never by a doubt: another container's, one whose start is not known, one that never told who it is."""
    mine = started(os.getpid())
    assert mine is not None
    known = {"pid": os.getpid(), "process_started": mine, "boot": boot_id(), "host": here()}
    for more, gone in [
        ({}, False),
        ({"process_started": mine - 5}, True),
        ({"process_started": 0.0}, False),
        ({"boot": "another"}, True),
        ({"pid": 0}, False),
        ({"process_started": mine - 5, "host": "there/pid:[4026532999]"}, False),
    ]:
        assert is_abandoned(a_wait(**{**known, **more}), boot_id()) is gone, more


def test_the_host_of_a_container_names_its_pids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity.os, "readlink", lambda _: "pid:[4026532999]")
    identity.here.cache_clear()
    assert identity.here().endswith("/pid:[4026532999]")
    monkeypatch.setattr(identity.os, "readlink", lambda _: "pid:[4026531836]")
    identity.here.cache_clear()
    assert "/" not in identity.here()
    identity.here.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="the name stands in /proc")
def test_a_name_full_of_brackets_does_not_hide_the_start(tmp_path: Path) -> None:
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "60"]) as child:
        since = started(child.pid)
        assert since is not None
        assert since > 0
        assert is_alive(child.pid, since, boot_id(), here())
        child.kill()


BEAT = """
import sys
from pathlib import Path
from orchestrator.clock import SystemClock
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.taskrecords import TaskRecord
clock = SystemClock()
store = open_sqlite(Path(sys.argv[1]), clock, verify=False).store
for _ in range(int(sys.argv[3])):
    assert store.beat(sys.argv[2], expires=clock.monotonic() + 60, at=clock.now(), task="x")
    store.renew_all(sys.argv[2], boot=clock.boot(), expires=clock.monotonic() + 60)
"""


@pytest.mark.parametrize(("processes", "beats"), [(4, 60), pytest.param(16, 1000, marks=pytest.mark.stress)])
def test_s3_12_many_heartbeats_at_once_are_all_taken(
    store: Store, tmp_path: Path, processes: int, beats: int
) -> None:
    for number in range(processes):
        store.add_session(a_session(f"s{number}"))
    workers = [
        subprocess.Popen([sys.executable, "-c", BEAT, str(tmp_path / "state.db"), f"s{n}", str(beats)])
        for n in range(processes)
    ]
    assert [worker.wait(300) for worker in workers] == [0] * processes
    assert {session.version for session in store.sessions()} == {beats}


def test_the_look_for_the_dead_ends_all_of_them_and_opens_their_tasks(store: Store, tmp_path: Path) -> None:
    """S3.12: of 100 sessions; each of the 50 dead ones held a lease and a task."""
    me = {"pid": os.getpid(), "process_started": started(os.getpid()), "host": here(), "boot": boot_id()}
    for number in range(100):
        key, mine = f"s{number}", number % 2
        store.add_session(a_session(key, **{**me, "process_started": me["process_started"] if mine else 1.0}))
        store.grant(a_lease(f"task:p:{number}", key, boot=boot_id(), expires=1e12), now=0.0)
        store.add_task(TaskRecord(f"p:{number}", "p", str(number), TaskState.CLAIMED, key, token=1))
    reaped = reap(store, CLOCK, tmp_path / "cleanup.lock")
    dead = {f"s{number}" for number in range(0, 100, 2)}
    assert {session.id for session in reaped.ended} == {lease.session for lease in reaped.released} == dead
    assert {task.id for task in store.tasks() if task.state is TaskState.OPEN} == {f"p:{k[1:]}" for k in dead}
    assert all("its process is dead" in task.note for task in store.tasks() if task.state is TaskState.OPEN)
    assert len(store.leases()) == 50
