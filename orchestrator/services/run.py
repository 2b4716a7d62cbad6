"""The main job: bring a run that has begun to its end, or go on with one that was interrupted.

1. a queue worker lands what is finished, in a thread of its own; the loop starts and ends plans; others
   look at what they change meanwhile, there and in the main checkout, hand conflicts to the resolver, and
   watch for dead sessions, or stand by while another process does
2. the summary: what landed, what failed, what was passed over
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LeaseLostError
from orchestrator.events import EventName
from orchestrator.mending.mender import Mender
from orchestrator.merging.worker import QueueWorker
from orchestrator.scheduling import drifttable, leaktable
from orchestrator.scheduling.crew import Crew
from orchestrator.scheduling.driftwatch import DriftWatch
from orchestrator.scheduling.finishing import Finisher
from orchestrator.scheduling.hostshare import HostShare
from orchestrator.scheduling.launching import StageLauncher
from orchestrator.scheduling.leakwatch import LeakWatch
from orchestrator.scheduling.loop import RunLoop
from orchestrator.scheduling.observe import Observer
from orchestrator.scheduling.starting import Starter
from orchestrator.scheduling.stashes import StashWatch
from orchestrator.services.ending import end_commands
from orchestrator.services.retention import let_go_daily
from orchestrator.services.speaking import spoken_for
from orchestrator.services.summary import Summary, summarize
from orchestrator.services.watchdog.log import CleanupLog
from orchestrator.services.watchdog.sweep import Post
from orchestrator.services.watchdog.watch import Watchdog, is_wanted
from orchestrator.sessions.cleanup import reap
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import PLACED_ATTEMPTS, RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.scheduling.loop import Signals
    from orchestrator.scheduling.view import View
    from orchestrator.services.begin import Outlook
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import RunRecord
    from orchestrator.workbench import Workbench


REAP_EVERY: Final = 2.0
"""Seconds between two looks for sessions whose process is dead: what they held others may have at once."""


class Conductor:
    """Conducts one run in this process: the loop in this thread, the queue worker and the watch in others.

    ``signals.stop`` ends it in order: commands stopped, leases released, state kept for ``resume``. So does
    any failure of the loop, of a thread of its pool, of the queue worker or of the watch.
    """

    def __init__(
        self, bench: Workbench, session: SessionHandle, run: RunRecord, outlook: Outlook, signals: Signals
    ) -> None:
        self._bench = bench
        self._session = session
        self._run = run
        self._plans = outlook.graph.plans
        self._options = outlook.options
        self._signals = signals
        self._ended = threading.Event()
        self._failures: list[BaseException] = []
        self._keeper = SlotKeeper(bench)
        speaks = spoken_for(bench.store, bench.clock, os.environ)
        observer = Observer(bench, run, outlook.graph, outlook.options, speaks)
        self._drift = DriftWatch(bench, run.id, observer, outlook.graph.plans)
        share = HostShare(bench.settings.project.resources, _build_slots(bench))
        launcher = StageLauncher(bench, share, signals.stop)
        starter = Starter(bench, self._keeper, launcher, signals.stop)
        self._leaks = LeakWatch(bench, run.id, outlook.graph.plans)
        self._finisher = Finisher(bench, launcher, observer, self._leaks.look_at_the_end)
        crew = Crew(bench, run, outlook.graph, starter, self._finisher)
        self._loop = RunLoop(bench, observer, crew, self._keeper, share=share, signals=signals)

    def conduct(self, each_round: Callable[[View], None]) -> Summary:
        """Bring the run to its end, or to an orderly stop when ``stop`` is set.

        Raises the first failure of the loop or of the worker, once nothing of the run is at work any more;
        further ones are noted on it.
        """
        stashes = StashWatch(self._bench, self._run.id)
        threads = [
            threading.Thread(target=self._watch, name="drift"),
            threading.Thread(target=self._watch_checkout, name="leaks"),
        ]
        if self._options.land:
            threads += [
                threading.Thread(target=self._land, name="queue"),
                threading.Thread(target=self._mend, name="resolver"),
            ]
        if is_wanted(os.environ):
            threads.append(threading.Thread(target=self._look_after, name="watchdog"))
        for thread in threads:
            thread.start()
        self._guarded(lambda: self._loop.go(self._look(each_round, stashes)))
        self._guarded(self._end_commands)
        self._ended.set()
        self._signals.queue_wake.set()
        self._signals.mend_wake.set()
        for thread in threads:
            thread.join()
        summaries: list[Summary] = []
        self._guarded(stashes.look)
        if not self._signals.stop.is_set():  # who goes on looks from where the last look was
            self._guarded(self._leaks.look_at_the_end)
        self._guarded(lambda: summaries.append(self._close()))
        self._guarded(lambda: let_go_daily(self._bench))
        self._raise_first()
        return summaries[0]

    def _look(self, each_round: Callable[[View], None], stashes: StashWatch) -> Callable[[View], None]:
        """What each round begins with: our session lives, those of the dead are ended, the run is shown."""
        seen = self._bench.clock.monotonic()

        def look(view: View) -> None:
            nonlocal seen
            self._session.require_alive()
            stashes.look()
            now = self._bench.clock.monotonic()
            if now - seen >= REAP_EVERY:
                reap(self._bench.store, self._bench.clock, self._bench.folder() / "cleanup.lock")
                seen = now
            each_round(view)

        return look

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do ``work``; a failure of it is kept, and ends the run in order."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised when nothing of the run is at work any more
            self._failures.append(error)
            self._signals.stop.set()
            self._signals.wake.set()

    def _watch(self) -> None:
        """The thread that looks for drift until the run has ended; an error of its own ends the run."""
        self._guarded(lambda: self._drift.watch(self._ended, self._signals.wake.set))

    def _watch_checkout(self) -> None:
        """The thread that looks for writes into the main checkout; an error of its own ends the run."""
        self._guarded(lambda: self._leaks.watch(self._ended, self._signals.wake.set))

    def _land(self) -> None:
        """The queue worker's thread: drains until the run has ended; an error of its own ends the run."""

        def tell() -> None:
            self._signals.wake.set()
            self._signals.mend_wake.set()

        worker = QueueWorker(
            self._bench,
            self._session,
            self._keeper,
            wake=self._signals.queue_wake,
            cancel=self._signals.stop,
            on_change=tell,
            is_needed=self._are_plans_at_work,
        )
        self._guarded(lambda: worker.drain(lambda _idle: self._ended.is_set()))

    def _are_plans_at_work(self) -> bool:
        """Whether a plan of the run is at work: what only keeps it from landing must not end it."""
        return bool(self._bench.store.attempts(run=self._run.id, states=PLACED_ATTEMPTS))

    def _mend(self) -> None:
        """The thread that hands conflicts to the resolver until the run has ended."""

        def tell() -> None:
            self._signals.queue_wake.set()
            self._signals.wake.set()

        mender = Mender(self._bench, self._session, self._keeper, self._is_halted, tell)
        self._guarded(lambda: mender.watch(self._ended, self._signals.mend_wake))

    def _look_after(self) -> None:
        """The watchdog's thread, until the run has ended. A fault of it is told, and ends no plan."""
        bench, log = self._bench, CleanupLog(self._bench.repository.state_dir, self._bench.clock)
        post = Post(bench.repository, self._session, bench.store, lambda: bench, log)
        Watchdog(post, self._ended).stand_by()

    def _is_halted(self) -> bool:
        return self._ended.is_set() or self._signals.stop.is_set()

    def _is_ours(self) -> bool:
        """Whether this session still conducts the run: one that was taken for dead may have a successor."""
        run = self._bench.store.run(self._run.id)
        return run is not None and run.session == self._bench.session

    def _end_commands(self) -> None:
        if self._signals.stop.is_set() and self._is_ours():
            self._failures += end_commands(self._bench, self._run.id, self._plans, self._finisher.interrupted)

    def _raise_first(self) -> None:
        if not self._failures:
            return
        first, *others = dict.fromkeys(self._failures)
        for other in others:
            first.add_note(f"then {type(other).__name__}: {other}")
        raise first

    def _close(self) -> Summary:
        """Store how the run ended, and tell it; raises LeaseLostError when it has a successor."""
        if not self._is_ours():
            raise LeaseLostError(f"run {self._run.id}", "another session goes on with it")
        store = self._bench.store
        stopped = self._signals.stop.is_set()
        if not stopped:
            self._keeper.give_back_landed(self._run.id)
        attempts = store.attempts(run=self._run.id)
        entries = {a.entry: e for a in attempts if a.entry and (e := store.entry(a.entry))}
        leaks = leaktable.load(store, self._run.id).rows.values()
        summary = replace(
            summarize(self._run.id, attempts, entries, land=self._options.land), leaks=tuple(leaks)
        )
        run, now = store.run(self._run.id), self._bench.clock.now()
        assert run is not None
        with store.transaction():
            drifttable.save(store, run.id, {})
            if not stopped:
                leaktable.drop(store, run.id)
            store.move_run(run, RunState.INTERRUPTED if stopped else RunState.FINISHED, finished_at=now)
            store.emit(
                EventName.RUN_INTERRUPTED if stopped else EventName.RUN_FINISHED,
                at=now,
                run=self._run.id,
                landed=list(summary.landed),
                failed=list(summary.failed),
                skipped=list(summary.skipped),
                finished=list(summary.finished),
                leaks=[leaktable.row_data(leak) for leak in leaks],
            )
        return summary


def _build_slots(bench: Workbench) -> int:
    """How many plans may be at work on this host; 0 without bound.

    A run that a plan's own command started works in the place of that plan: to wait for another place might
    be to wait for itself.
    """
    nested = "PLANCTL_ATTEMPT" in os.environ
    return 0 if nested else bench.settings.project.host_build_slots
