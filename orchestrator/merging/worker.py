"""The queue worker: holds the queue's lease, takes the epoch, recovers, and then lands entry after entry.

Promise: while one worker lives, others wait. Non-promise: the lease alone keeps nobody from landing; a
worker that was paused and has lost it is stopped by the epoch that every landing verifies.

One drain:

1. lease ``queue:<target>``, or wait for its holder
2. remove locks that killed git children left, where that is proven
3. take the epoch
4. finish or undo what a dead worker left
5. until asked to stop: one snapshot, one decision, one entry
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, LeaseLostError, StaleRecordError
from orchestrator.events import EventName
from orchestrator.merging.checking import Checker
from orchestrator.merging.epoch import take_epoch
from orchestrator.merging.planner import Process, QueueView, Stay, plan_serial
from orchestrator.merging.processing import Processor
from orchestrator.merging.recovery import recover, remove_locks
from orchestrator.states import MOVING_ENTRIES, OPEN_ENTRIES
from orchestrator.submitting.landed import landed_plans
from worktrees.errors import ReferenceMovedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from orchestrator.leases.lease import HeldLease
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

POLL: Final = 0.5
"""Seconds between two looks when nobody wakes the worker; other processes cannot."""


class QueueWorker:
    """Drains the queue of one target for as long as it is asked to."""

    def __init__(
        self,
        bench: Workbench,
        session: SessionHandle,
        keeper: SlotKeeper,
        *,
        wake: threading.Event,
        cancel: threading.Event,
        on_change: Callable[[], None] = lambda: None,
        allow_policy_change: bool = False,
    ) -> None:
        self._bench = bench
        self._session = session
        self._checker = Checker(bench, keeper, cancel)
        self._wake = wake
        self._cancel = cancel
        self._on_change = on_change
        self._allow_policy_change = allow_policy_change
        self._tried: set[str] = set()
        self._tip = ""

    def drain(self, done: Callable[[bool], bool]) -> None:
        """Work until ``done(idle)`` is true or the worker is cancelled.

        ``done`` is asked before each step; ``idle`` says that nothing can be processed now.
        """
        while not self._cancel.is_set():
            try:
                lease = self._session.hold(f"queue:{self._bench.target}", "landing")
                try:
                    self._drain_leased(lease, done)
                finally:
                    self._session.release(lease)
                return  # noqa: TRY300 - an else would part it from the lease it ends
            except (BusyError, LeaseLostError, ReferenceMovedError):
                if done(self._nothing_moves()):
                    return
                self._rest()

    def _nothing_moves(self) -> bool:
        """Whether the worker that holds the lease has nothing left that it could land."""
        moving = self._bench.store.entries(target=self._bench.target, states=MOVING_ENTRIES)
        return not moving or self._paused(self._bench.target_tip()) is not None

    def _drain_leased(self, lease: HeldLease, done: Callable[[bool], bool]) -> None:
        remove_locks(self._bench)
        epoch = take_epoch(self._bench, lease.token)
        recover(self._bench, self._bench.target, epoch)
        processor = Processor(
            self._bench, self._checker, epoch, allow_policy_change=self._allow_policy_change
        )
        while not self._cancel.is_set():
            lease.check()
            chosen = self._choose()
            if done(chosen is None):
                return
            if chosen is None:
                self._rest()
                continue
            self._process(processor, chosen)

    def _process(self, processor: Processor, entry: Entry) -> None:
        """Another process may drop an entry at any moment; then its record is no longer as it was read."""
        try:
            ended = processor.process(entry)
        except StaleRecordError:
            return
        self._on_change()
        if ended.state in OPEN_ENTRIES and ended.reason.get("code") not in ("target-moved", "no-verdict"):
            self._tried.add(ended.id)

    def _rest(self) -> None:
        self._bench.clock.wait(self._wake, POLL)
        self._wake.clear()

    def _choose(self) -> Entry | None:
        tip = self._bench.target_tip()
        if tip != self._tip:
            self._notice_move(tip)
        entries = tuple(self._bench.store.entries(target=self._bench.target, states=OPEN_ENTRIES))
        needed = {plan for entry in entries for plan in entry.after}
        landed = frozenset(landed_plans(self._bench, sorted(needed), tip))
        steps = plan_serial(QueueView(entries, landed, self._paused(tip), frozenset(self._tried)))
        for step in steps:
            if isinstance(step, Stay):
                self._store_reason(step)
        return next((step.entry for step in steps if isinstance(step, Process)), None)

    def _notice_move(self, tip: str) -> None:
        """Whatever was tried in vain may go now; a move that is not the queue's own is recorded."""
        store, key = self._bench.store, f"queue.{self._bench.target}.tip"
        known = store.value(key)
        if known is not None and known != tip:
            store.emit(EventName.TARGET_MOVED, at=self._bench.clock.now(), old=known, new=tip)
        if known != tip:
            store.set_value(key, tip)
        self._tried.clear()
        self._tip = tip

    def _paused(self, tip: str) -> str | None:
        paused = self._bench.store.value(f"queue.{self._bench.target}.paused")
        if paused:
            return paused
        red = self._bench.store.value(f"queue.{self._bench.target}.red")
        return f"target-red: {tip[:12]} fails its own check" if red == tip else None

    def _store_reason(self, step: Stay) -> None:
        """Every wait has a stored reason; one that says more (a conflict, a log) is left alone."""
        if step.code in ("held", str(step.entry.reason.get("code"))):
            return
        why = {"code": step.code, "detail": step.detail}
        if not step.entry.reason or step.entry.reason.get("code") in ("behind", "paused", "order"):
            try:
                self._bench.store.update_entry(step.entry, reason=why)
            except StaleRecordError:
                self._wake.set()
