"""The main job: take plans from their files to the target, or go on with a run that was interrupted.

1. the plans are read, linted and selected; what overlaps is found, the graph drawn; nothing is written yet
2. identity and signing are tried, branches that stand in the way refuse the run
3. the plan files are frozen, the run and its attempts stored
4. a queue worker lands what is finished, in a thread of its own; the loop starts and ends plans
5. the summary: what landed, what failed, what was passed over
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.merging.worker import QueueWorker
from orchestrator.scheduling.branching import require_usable
from orchestrator.scheduling.crew import Crew
from orchestrator.scheduling.finishing import Finisher
from orchestrator.scheduling.launching import StageLauncher
from orchestrator.scheduling.loop import RunLoop, Signals
from orchestrator.scheduling.observe import Observer
from orchestrator.scheduling.starting import Starter
from orchestrator.services.begin import Outlook, Request, look_out, store_run
from orchestrator.services.reading import read_catalog
from orchestrator.services.summary import Summary, summarize
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import AttemptState, RunState
from worktrees.identity import check_identity, trial_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.scheduling.view import View
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import RunRecord
    from orchestrator.workbench import Workbench


def begin_run(bench: Workbench, request: Request, here: Path) -> tuple[RunRecord, Outlook]:
    """Steps 1 to 3. Whatever is wrong with what was asked is raised before anything is written."""
    outlook = read_outlook(bench, request, here)
    check_identity(bench.git)
    trial_signature(bench.git)
    return store_run(bench, outlook, request, bench.stamp()), outlook


def read_outlook(bench: Workbench, request: Request, here: Path) -> Outlook:
    """Step 1, and of step 2 what writes nothing: what would be run and in which order."""
    catalog, names = read_catalog(bench, request.names, here, request.revision)
    outlook = look_out(bench, catalog, request, names)
    bench.target_tip()
    for plan in outlook.plans:
        if plan.base:
            bench.references.resolve(plan.base)
        require_usable(bench, plan.id, plan.branch, adopt=request.adopt)
    return outlook


class Conductor:
    """Conducts one run in this process: the loop in this thread, the queue worker in another.

    ``signals.stop`` ends it in order: commands stopped, leases released, state kept for ``resume``.
    """

    def __init__(self, bench: Workbench, session: SessionHandle, run: RunRecord, outlook: Outlook) -> None:
        self._bench = bench
        self._session = session
        self._run = run
        self._options = outlook.options
        self.signals = Signals()
        self._ended = threading.Event()
        self._worker_error: BaseException | None = None
        self._keeper = SlotKeeper(bench)
        observer = Observer(bench, run, outlook.graph, outlook.options)
        launcher = StageLauncher(bench)
        starter = Starter(bench, self._keeper, launcher, self.signals.stop)
        finisher = Finisher(bench, self._keeper, launcher, observer)
        self._crew = Crew(bench, run, outlook.graph, starter, finisher)
        self._loop = RunLoop(
            bench,
            observer,
            self._crew,
            self._keeper,
            jobs=outlook.options.jobs,
            signals=self.signals,
        )

    def conduct(self, each_round: Callable[[View], None]) -> Summary:
        """Bring the run to its end, or to an orderly stop when ``stop`` is set.

        Raises what the loop or the worker raised; commands are stopped first.
        """
        worker = threading.Thread(target=self._land, name="queue") if self._options.land else None
        if worker:
            worker.start()

        def look(view: View) -> None:
            self._session.require_alive()
            each_round(view)

        try:
            self._loop.go(look)
        except BaseException:
            self.signals.stop.set()
            raise
        finally:
            if self.signals.stop.is_set():
                self._stop_commands()
            self._ended.set()
            self.signals.queue_wake.set()
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
            wake=self.signals.queue_wake,
            cancel=self.signals.stop,
            on_change=self.signals.wake.set,
        )
        try:
            worker.drain(lambda _idle: self._ended.is_set())
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._worker_error = error
            self.signals.stop.set()
            self.signals.wake.set()

    def _stop_commands(self) -> None:
        """End every command of the run and note that it was the stop that did it: resume runs it again."""
        self._crew.stop_all()
        self._crew.wait_for_all()
        for attempt in self._bench.store.attempts(run=self._run.id, states={AttemptState.RUNNING}):
            self._crew.interrupt(attempt)

    def _close(self) -> Summary:
        store = self._bench.store
        stopped = self.signals.stop.is_set()
        if not stopped:
            self._keeper.give_back_landed(self._run.id)
        attempts = store.attempts(run=self._run.id)
        entries = {a.entry: e for a in attempts if a.entry and (e := store.entry(a.entry))}
        summary = summarize(self._run.id, attempts, entries, land=self._options.land)
        run, now = store.run(self._run.id), self._bench.clock.now()
        assert run is not None
        store.move_run(run, RunState.INTERRUPTED if stopped else RunState.FINISHED, finished_at=now)
        store.emit(
            EventName.RUN_INTERRUPTED if stopped else EventName.RUN_FINISHED,
            at=now,
            run=self._run.id,
            landed=list(summary.landed),
            failed=list(summary.failed),
            skipped=list(summary.skipped),
            finished=list(summary.finished),
        )
        return summary
