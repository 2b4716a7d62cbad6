"""The only loop of a run: read, decide, apply, wait; until nothing can move any more.

What takes long (provisioning, committing what a command left) is done by a pool of threads, which wakes
the loop. A round:

1. errors of the pool come up here
2. commands that have ended are handed to the pool
3. in one transaction: the view, the decisions, the moves. A plan whose resources another run on the host has
   waits instead of starting
4. starts are handed to the pool
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.running.waiting import make_wake
from orchestrator.scheduling.apply import apply
from orchestrator.scheduling.decide import End, Enqueue, Wait
from orchestrator.scheduling.publishing import Publisher
from orchestrator.scheduling.sharing import decide_sharing

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.scheduling.crew import Crew
    from orchestrator.scheduling.decide import Decision
    from orchestrator.scheduling.hostshare import HostShare
    from orchestrator.scheduling.observe import Observer
    from orchestrator.scheduling.view import View
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.workbench import Workbench

POLL: Final = 0.5
"""Seconds between two rounds when nothing wakes the loop; other processes cannot."""
MOST_THREADS: Final = 16
_SLOTS: Final = "slots"
"""Among the keys of what is busy, beside ids of attempts."""


@dataclass(frozen=True)
class Signals:
    """How the threads of a run call each other.

    ``wake`` makes the loop look, ``queue_wake`` the queue worker, ``mend_wake`` who hands conflicts to the
    resolver; ``stop`` ends all in order. ``wake`` and ``stop`` are set by a signal handler, in which a plain
    Event can wait for ever for its own lock.
    """

    wake: threading.Event = field(default_factory=make_wake)
    queue_wake: threading.Event = field(default_factory=threading.Event)
    mend_wake: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=make_wake)


class RunLoop:
    """Brings one run to its end."""

    def __init__(
        self,
        bench: Workbench,
        observer: Observer,
        crew: Crew,
        keeper: SlotKeeper,
        *,
        share: HostShare,
        signals: Signals,
    ) -> None:
        self._bench = bench
        self._observer = observer
        self._crew = crew
        self._keeper = keeper
        self._share = share
        self._wake = signals.wake
        self._queue_wake = signals.queue_wake
        self._stop = signals.stop
        self._busy: dict[str, Future[object]] = {}
        self._run = observer.run
        self._publisher = Publisher(bench)

    def go(self, each_round: Callable[[View], None]) -> None:
        """Work until the run has ended or ``stop`` is set; ``each_round`` may raise to end it."""
        threads = min(self._observer.jobs, MOST_THREADS)
        with ThreadPoolExecutor(threads, thread_name_prefix="plan") as pool:
            while not self._stop.is_set():
                self._collect()
                self._hand_over_ended(pool)
                self._hand_over_landed(pool)
                view, decisions = self._round(pool)
                self._publisher.look(view)
                each_round(view)
                if any(isinstance(decision, End) for decision in decisions) and not self._busy:
                    return
                if all(isinstance(decision, Wait | End) for decision in decisions):
                    self._crew.wait(self._wake, POLL, without=self._busy.keys())
                self._wake.clear()
        self._collect()  # stopped: what went wrong meanwhile comes up all the same

    def _collect(self) -> None:
        for attempt, future in list(self._busy.items()):
            if future.done():
                del self._busy[attempt]
                future.result()

    def _hand_over_ended(self, pool: ThreadPoolExecutor) -> None:
        for attempt in self._crew.ended():
            if attempt.id not in self._busy:
                self._hand_over(pool, attempt.id, partial(self._crew.finish, attempt))

    def _hand_over_landed(self, pool: ThreadPoolExecutor) -> None:
        """Slots of plans that have landed are made ready for others while these are still waiting."""
        if _SLOTS not in self._busy and self._keeper.holds_landed(self._run):
            self._hand_over(pool, _SLOTS, lambda: self._keeper.give_back_landed(self._run))

    def _round(self, pool: ThreadPoolExecutor) -> tuple[View, tuple[Decision, ...]]:
        with self._bench.store.transaction():
            view = self._observer.view()
            self._share.keep({view.attempts[plan].id: view.held(plan) for plan in view.working})
            view, decisions = decide_sharing(view, self._share)
            started = [apply(self._bench, view, decision) for decision in decisions]
        for attempt in started:
            if attempt is not None:
                self._hand_over(pool, attempt.id, partial(self._crew.start, attempt, view))
        if any(isinstance(decision, Enqueue) for decision in decisions):
            self._queue_wake.set()
        return view, decisions

    def _hand_over(self, pool: ThreadPoolExecutor, key: str, work: Callable[[], object]) -> None:
        """The loop is woken once it is done: woken by the work itself, it might find that still at work."""
        self._busy[key] = future = pool.submit(work)
        future.add_done_callback(lambda _: self._wake.set())
