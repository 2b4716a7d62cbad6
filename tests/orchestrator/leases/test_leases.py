from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.errors import BusyError, LeaseLostError, StoreUnusableError
from orchestrator.leases.acquiring import Manner, acquire
from orchestrator.leases.backoff import Backoff, Retry
from orchestrator.leases.heartbeat import Heartbeat, Pace
from orchestrator.leases.kernel_lock import KernelLock
from orchestrator.leases.lease import HeldLease, Wanted, holder_of, try_acquire
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from tests.support.clock import FakeClock
from tests.support.records import a_session

ADA, BOB = Wanted("queue.main", "ada", "landing"), Wanted("queue.main", "bob")


def held(store: Store, clock: FakeClock, wanted: Wanted = ADA) -> HeldLease:
    grant = try_acquire(store, clock, wanted)
    assert grant is not None
    return HeldLease(grant, clock, lambda h: store.release(h.grant))


class Beating:
    """A heartbeat that the test beats by hand, over one store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.losses: list[LeaseLostError] = []
        self.fault: Exception | None = None
        self.session_loss: LeaseLostError | None = None
        self.heartbeat = Heartbeat(
            self.open, self.clock, Pace(), pulse=lambda *_: self.session_loss, on_loss=self.losses.append
        )

    def open(self) -> Store:
        if self.fault is not None:
            raise self.fault
        return self.store

    def keep(self, wanted: Wanted = ADA) -> HeldLease:
        lease = held(self.store, self.clock, wanted)
        self.heartbeat.keep(lease)
        return lease


@pytest.fixture
def beating() -> Beating:
    return Beating()


def test_s1_2_a_kept_lease_outlives_its_first_expiry(beating: Beating) -> None:
    lease = beating.keep()
    for _ in range(100):
        beating.clock.advance(3)
        beating.heartbeat.round(None)
        lease.check()
    assert try_acquire(beating.store, beating.clock, BOB) is None
    beating.clock.advance(60.5)
    with pytest.raises(LeaseLostError, match="ran out"):
        lease.check()
    assert try_acquire(beating.store, beating.clock, BOB) is not None


def test_s1_2_a_lease_that_another_has_taken_is_lost_at_the_next_beat(beating: Beating) -> None:
    lease = beating.keep()
    beating.clock.advance(61)
    beating.store.add_session(a_session("bob", kind="run", pid=77))
    assert try_acquire(beating.store, beating.clock, BOB) is not None
    beating.heartbeat.round(None)
    assert lease.lost.is_set()
    assert [loss.name for loss in beating.losses] == ["queue.main"]
    assert "pid 77" in beating.losses[0].reason
    with pytest.raises(LeaseLostError, match="now held by run bob"):
        lease.check()
    assert not lease.release()
    assert beating.store.lease("queue.main").session == "bob"  # type: ignore[union-attr]
    beating.heartbeat.round(None)
    assert len(beating.losses) == 1


def test_s1_2_five_failed_heartbeats_are_borne_and_the_sixth_cancels(beating: Beating) -> None:
    lease = beating.keep()
    beating.fault = StoreUnusableError(Path("state.db"), "disk I/O error")
    for _ in range(5):
        beating.heartbeat.round(None)
    assert not lease.lost.is_set()
    beating.fault = None
    beating.heartbeat.round(None)  # one that succeeds begins the count anew
    beating.fault = OSError("gone")
    for _ in range(5):
        beating.heartbeat.round(None)
    assert not beating.losses
    beating.heartbeat.round(None)
    assert lease.lost.is_set()
    assert "6 heartbeats failed, the last one with: gone" in beating.losses[0].reason


def test_a_session_that_was_ended_takes_its_leases_with_it(beating: Beating) -> None:
    lease, other = beating.keep(), beating.keep(Wanted("slot-01", "ada"))
    beating.session_loss = LeaseLostError("session ada", "it was ended by another process")
    beating.heartbeat.round(None)
    assert [loss.name for loss in beating.losses] == ["session ada", "queue.main", "slot-01"]
    assert lease.lost.is_set()
    assert other.lost.is_set()


def test_a_lease_that_was_given_back_is_no_loss(beating: Beating) -> None:
    lease = beating.keep()
    with lease:
        lease.check()
    beating.heartbeat.forget(lease)
    beating.heartbeat.round(None)
    assert not beating.losses


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_of_the_wall_clock_breaks_no_lease(beating: Beating, jump: float) -> None:
    lease = beating.keep()
    beating.clock.set_wall(jump)
    lease.check()
    assert try_acquire(beating.store, beating.clock, BOB) is None
    beating.heartbeat.round(None)
    assert not beating.losses
    beating.clock.advance(61)
    beating.clock.set_wall(-jump)
    assert try_acquire(beating.store, beating.clock, BOB) is not None


def test_a_reboot_frees_every_lease(beating: Beating) -> None:
    beating.keep()
    beating.clock.reboot()
    assert try_acquire(beating.store, beating.clock, BOB) is not None


def test_the_thread_beats_until_it_is_stopped() -> None:
    beats, enough = 0, threading.Event()

    def pulse(*_: object) -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            enough.set()

    heartbeat = Heartbeat(MemoryStore, SystemClock(), Pace(every=0.001), pulse=pulse, on_loss=pytest.fail)
    heartbeat.start()
    assert enough.wait(20)
    heartbeat.stop()
    seen = beats
    assert not any(t.name == "planctl-heartbeat" for t in threading.enumerate())
    assert beats == seen


def test_the_thread_ends_after_the_last_loss() -> None:
    lost = threading.Event()
    heartbeat = Heartbeat(
        MemoryStore,
        SystemClock(),
        Pace(every=0.001),
        pulse=lambda *_: LeaseLostError("session", "ended"),
        on_loss=lambda _: lost.set(),
    )
    heartbeat.start()
    assert lost.wait(20)
    heartbeat._thread.join(20)
    assert not heartbeat._thread.is_alive()


def test_s1_3_waits_double_within_thirty_percent_six_times() -> None:
    clock, store, shown = FakeClock(), MemoryStore(), list[Retry]()
    store.add_session(a_session("bob", kind="queue", pid=42, host="here"))
    assert try_acquire(store, clock, Wanted("queue.main", "bob", expiry=1e6)) is not None
    with pytest.raises(BusyError) as caught:
        acquire(store, clock, ADA, Manner(show=shown.append))
    assert caught.value.holder.startswith("queue bob (pid 42 on here) since ")
    assert clock.waits == [retry.seconds for retry in shown]
    for number, seconds in enumerate(clock.waits):
        assert 0.3 * 2**number * 0.7 <= seconds <= 0.3 * 2**number * 1.3
    assert [retry.number for retry in shown] == [1, 2, 3, 4, 5, 6]
    assert str(Retry(2, 6, 0.64, "bob")) == "retry 2/6 in 640 ms, held by bob"
    spread = {next(Backoff().retries(str)).seconds for _ in range(50)}
    assert max(spread) - min(spread) > 0.03


def test_s1_3_the_wait_ends_with_the_grant() -> None:
    clock, store = FakeClock(), MemoryStore()
    other = held(store, clock, BOB)
    lease = acquire(store, clock, ADA, Manner(show=lambda retry: retry.number == 3 and other.release()))
    assert (lease.session, len(clock.waits)) == ("ada", 3)
    assert acquire(store, clock, Wanted("free", "ada")).token == 1


def test_s1_3_cancellation_stops_the_wait() -> None:
    clock, store, cancelled = FakeClock(), MemoryStore(), threading.Event()
    held(store, clock, BOB)
    with pytest.raises(BusyError):
        acquire(store, clock, ADA, Manner(cancelled=cancelled, show=lambda _: cancelled.set()))
    assert clock.waits == []


def test_who_holds_a_lease_is_said_with_what_is_known() -> None:
    clock, store = FakeClock(), MemoryStore()
    assert holder_of(store, "queue.main") == "nobody any more"
    held(store, clock)
    assert holder_of(store, "queue.main") == f"ada since {clock.now()}: landing"


HOLD = """
import sys
from pathlib import Path
from orchestrator.clock import SystemClock
from orchestrator.leases.kernel_lock import KernelLock
with KernelLock(Path(sys.argv[1]), SystemClock(), "cleanup").held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_kernel_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "cleanup.lock"
    lock = KernelLock(path, FakeClock(), "cleanup")
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"cleanup is held by pid {child.pid} since 20"), lock.held():
            pytest.fail("two holders")
        child.kill()
    with lock.held():
        assert lock.holder().startswith("pid ")
        assert str(child.pid) not in lock.holder().split()
    assert lock.holder() == "another process"
