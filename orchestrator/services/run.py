"""The main job: take plans from their files to the target, or go on with a run that was interrupted.

1. the plans are read, linted and selected; what overlaps is found, the graph drawn; nothing is written yet
2. identity and signing are tried, branches that stand in the way refuse the run
3. the plan files are frozen, the run and its attempts stored
4. a queue worker lands what is finished, in a thread of its own; the loop starts and ends plans
5. the summary: what landed, what failed, what was passed over
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.merging.worker import QueueWorker
from orchestrator.running.waiting import Wake
from orchestrator.scheduling.crew import Crew
from orchestrator.scheduling.finishing import Finisher
from orchestrator.scheduling.launching import StageLauncher
from orchestrator.scheduling.loop import RunLoop
from orchestrator.scheduling.observe import Observer
from orchestrator.scheduling.starting import Starter
from orchestrator.services.summary import Summary, summarize
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import AttemptState, RunState
from orchestrator.store.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.scheduling.view import Options, View
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench
    from plans.graph import PlanGraph


@dataclass(frozen=True, slots=True)
class Controls:
    """How the caller and the run talk: ``wake`` makes both loops look, ``stop`` ends them in order."""

    wake: Wake
    queue_wake: threading.Event
    stop: threading.Event


class Conductor:
    """Conducts one run in this process: the loop in this thread, the queue worker in another."""

    def __init__(
        self, bench: Workbench, session: SessionHandle, run: RunRecord, graph: PlanGraph, options: Options
    ) -> None:
        self._bench = bench
        self._session = session
        self._run = run
        self._options = options
        self.controls = Controls(Wake(), threading.Event(), threading.Event())
        keeper = SlotKeeper(bench)
        observer = Observer(bench, run, graph, options)
        launcher = StageLauncher(bench)
        starter = Starter(bench, keeper, launcher, self.controls.stop)
        finisher = Finisher(bench, keeper, launcher, observer)
        self._keeper = keeper
        self._crew = Crew(bench, run, graph, starter, finisher)
        self._loop = RunLoop(
            bench, observer, self._crew, jobs=options.jobs, wake=self.controls.wake, stop=self.controls.stop
        )
        self._worker_error: BaseException | None = None
        self._ended = threading.Event()

    def conduct(self, each_round: Callable[[View], None]) -> Summary:
        """Bring the run to its end, or to an orderly stop when ``controls.stop`` is set.

        Raises what the loop or the worker raised; commands are stopped first.
        """
        worker = threading.Thread(target=self._land, name="queue") if self._options.land else None
        if worker:
            worker.start()
        try:
            self._loop.go(each_round)
        except BaseException:
            self.controls.stop.set()
            raise
        finally:
            if self.controls.stop.is_set():
                self._stop_commands()
            self._ended.set()
            self.controls.queue_wake.set()
            if worker:
                worker.join()
        if self._worker_error is not None:
            raise self._worker_error
        return self._close()

    def _land(self) -> None:
        """The queue worker's thread: drains until the run has ended; an error of its own ends the run."""
        worker = QueueWorker(
            self._bench,
            self._session,
            self._keeper,
            wake=self.controls.queue_wake,
            cancel=self.controls.stop,
            on_change=self.controls.wake.set,
        )
        try:
            worker.drain(lambda idle: self._ended.is_set() and (idle or self.controls.stop.is_set()))
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._worker_error = error
            self.controls.stop.set()
            self.controls.wake.set()

    def _stop_commands(self) -> None:
        """End every command of the run and note that it was the stop that did it: resume runs it again."""
        store = self._bench.store
        self._crew.stop_all()
        self._crew.wait_for_all()
        for attempt in store.attempts(run=self._run.id, states={AttemptState.RUNNING}):
            self._crew.interrupt(attempt)

    def _close(self) -> Summary:
        store, now = self._bench.store, self._bench.clock.now()
        attempts = store.attempts(run=self._run.id)
        entries = {a.entry: e for a in attempts if a.entry and (e := store.entry(a.entry))}
        summary = summarize(self._run.id, attempts, entries, land=self._options.land)
        stopped = self.controls.stop.is_set()
        state = RunState.INTERRUPTED if stopped else RunState.FINISHED
        run = store.run(self._run.id)
        assert run is not None
        store.move_run(run, state, finished_at=now)
        name = EventName.RUN_INTERRUPTED if stopped else EventName.RUN_FINISHED
        store.emit(
            name,
            at=now,
            run=self._run.id,
            landed=list(summary.landed),
            failed=list(summary.failed),
            skipped=list(summary.skipped),
            finished=list(summary.finished),
        )
        return summary
