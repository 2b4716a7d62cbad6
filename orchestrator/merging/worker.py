"""The queue worker: holds the queue's lease, takes the epoch, recovers, and then lands entry after entry.

Promise: while one worker lives, others wait. Non-promise: the lease alone keeps nobody from landing; a
worker that was paused and has lost it is stopped by the fence of its tenure, and goes back to waiting.

One tenure:

1. lease ``queue:<target>``, or wait for its holder; that of a process that is dead is taken from it
2. remove locks that killed git children left, where that is proven
3. take the epoch
4. finish or undo what a dead worker left
5. until asked to stop: one snapshot, one decision, one entry or batch
6. candidates of entries that have ended are let go, whenever there is nothing else to do
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from orchestrator.errors import (
    BusyError,
    FencePassedError,
    LeaseLostError,
    LocksInTheWayError,
    StaleRecordError,
)
from orchestrator.events import EventName
from orchestrator.merging.ahead import Ahead
from orchestrator.merging.checking import Checker
from orchestrator.merging.checkouts import recover_checkouts
from orchestrator.merging.checkroom import CancelledCheckError, CheckRoom
from orchestrator.merging.locked import LockWait
from orchestrator.merging.planner import can_any_go
from orchestrator.merging.recovery import recover
from orchestrator.merging.remotewait import RemoteTrouble, RemoteWait
from orchestrator.merging.resolving import forget_candidates
from orchestrator.merging.round import Round
from orchestrator.merging.takeover import take_over
from orchestrator.merging.verdicts import Tally
from orchestrator.merging.viewing import queue_view
from orchestrator.sessions.cleanup import reap
from orchestrator.sessions.identity import is_alive
from orchestrator.states import MOVING_ENTRIES, EntryState
from orchestrator.submitting.standstill import standstill
from worktrees.commitgraph import ensure_commit_graph
from worktrees.errors import GitFailedError, ReferenceMovedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from orchestrator.leases.lease import HeldLease
    from orchestrator.merging.tenure import Tenure
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.workbench import Workbench

POLL: Final = 0.5
"""Seconds between two looks when nobody wakes the worker; other processes cannot."""
MOST_FAILURES: Final = 5
"""Tenures in a row that git or the file system may end before the worker gives up with that error."""


class QueueWorker:
    """Drains the queue of one target for as long as it is asked to."""

    def __init__(  # noqa: PLR0913 - what it works at, and how its caller talks to it
        self,
        bench: Workbench,
        session: SessionHandle,
        keeper: SlotKeeper,
        *,
        wake: threading.Event,
        cancel: threading.Event,
        on_change: Callable[[], None] = lambda: None,
        allow_policy_change: bool = False,
        is_needed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._bench = bench
        self._session = session
        self._keeper = keeper
        self._room = CheckRoom(bench, keeper, cancel)
        self._wake = wake
        self._cancel = cancel
        self._on_change = on_change
        self._allow_policy_change = allow_policy_change
        self._failures = 0
        self._locks = LockWait(bench)
        self._remote = RemoteWait(bench, cancel, is_needed)

    def drain(self, done: Callable[[bool], bool], waiting: Callable[[], None] = lambda: None) -> None:
        """Work until ``done(idle)`` is true or the worker is cancelled.

        ``done`` is asked before each step; ``idle`` says that nothing can be processed now. ``waiting`` is
        called at each look while another worker has the queue, and may raise BusyError to end the wait. So it
        is while lock files keep it from being taken over; then LocksInTheWayError is raised, as it is when
        that has lasted. Raises LeaseLostError when the session itself is lost, and GitFailedError or OSError
        when several tenures in a row were ended by it.
        """
        while not self._cancel.is_set():
            try:
                lease = self._session.hold(f"queue:{self._bench.target}", "landing")
            except BusyError:
                self._reap()
                if done(self._nothing_moves()):
                    return
                waiting()
                self._rest()
                continue
            if self._serve(lease, done):
                return
            self._remote.rest(self._wake)
            if self._locks.met:
                try:
                    waiting()
                except BusyError:
                    raise self._locks.met from None
            self._rest()

    def _serve(self, lease: HeldLease, done: Callable[[bool], bool]) -> bool:
        """One tenure; whether it ended because there is no more to do."""
        try:
            self._work(lease, done)
        except (LeaseLostError, FencePassedError, ReferenceMovedError, StaleRecordError) as error:
            self._tell_lost(error)
            self._require_session()
            return False
        except (GitFailedError, OSError) as error:
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                raise
            self._tell_lost(error)
            return False
        except (LocksInTheWayError, *get_args(RemoteTrouble)) as error:
            if self._is_news(error):
                self._tell_lost(error)
            return done(self._nothing_moves())
        except CancelledCheckError:
            return True
        finally:
            self._session.release(lease)
        return True

    def _is_news(self, error: LocksInTheWayError | RemoteTrouble) -> bool:
        """Bear with what somebody else has to end; raises it when that has lasted too long."""
        if isinstance(error, LocksInTheWayError):
            return self._locks.bear(error)
        return self._remote.bear(error)

    def _work(self, lease: HeldLease, done: Callable[[bool], bool]) -> None:
        bench = self._bench
        tenure = take_over(bench, lease)
        self._locks.over()
        recover(tenure, self._keeper)
        ensure_commit_graph(bench.git, bench.objects, bench.target_tip())
        tally = Tally()
        with Ahead(self._keeper, self._cancel, tally, self._wake.set) as ahead:
            self._land(tenure, ahead, tally, done)

    def _land(self, tenure: Tenure, ahead: Ahead, tally: Tally, done: Callable[[bool], bool]) -> None:
        checker = Checker(self._bench, self._room, ahead, tally=tally)
        rounds = Round(tenure, checker, ahead, allow_policy_change=self._allow_policy_change)
        ended = idle = False
        while not self._cancel.is_set():
            tenure.check()
            self._remote.look(tenure, idle=idle)
            chosen = rounds.choose()
            idle = not chosen
            if idle and ended:
                _tidy(tenure)
                ended = False
            if done(not chosen and not rounds.is_busy):
                break
            if not chosen:
                self._rest()
                continue
            rounds.process(chosen)
            self._remote.processed(tenure, chosen)
            ended = True
            self._failures = 0
            self._on_change()
        if ended:
            _tidy(tenure)

    def _nothing_moves(self) -> bool:
        """Whether the worker that holds the lease has nothing left that it could land."""
        store, target, tip = self._bench.store, self._bench.target, self._bench.target_tip()
        if standstill(store, target, tip):
            return True
        moving = store.entries(target=target, states=MOVING_ENTRIES)
        is_at_work = any(entry.state is not EntryState.QUEUED for entry in moving)
        return not is_at_work and not can_any_go(queue_view(self._bench, tip))

    def _reap(self) -> None:
        """A holder that is dead does not keep us until its lease runs out."""
        store = self._bench.store
        lease = store.lease(f"queue:{self._bench.target}")
        holder = store.session(lease.session) if lease else None
        if holder and is_alive(holder.pid, holder.process_started, holder.boot, holder.host):
            return
        reap(self._bench.store, self._bench.clock, self._bench.folder() / "cleanup.lock")

    def _require_session(self) -> None:
        """Without its session a worker may not go on; without its lease it may wait for it again."""
        loss = self._session.loss
        if loss is not None and loss.name == "session":
            raise loss

    def _tell_lost(self, error: Exception) -> None:
        self._bench.store.emit(
            EventName.QUEUE_LOST,
            at=self._bench.clock.now(),
            target=self._bench.target,
            session=self._bench.session,
            why=str(error),
        )

    def _rest(self) -> None:
        self._bench.clock.wait(self._wake, POLL)
        self._wake.clear()


def _tidy(tenure: Tenure) -> None:
    """What can wait until there is nothing else to do; no landing depends on it."""
    recover_checkouts(tenure)
    forget_candidates(tenure)
