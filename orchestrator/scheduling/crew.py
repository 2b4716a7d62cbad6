"""The hands of a run: starts attempts, notices commands that have ended, ends attempts, stops them all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from orchestrator.running.spec import Ended, Outcome, Running
from orchestrator.running.supervision import find, poll, stop
from orchestrator.running.waiting import wait
from orchestrator.scheduling.launching import record_dir
from orchestrator.states import AttemptState
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.running.spec import Supervised
    from orchestrator.scheduling.finishing import Finisher
    from orchestrator.scheduling.starting import Starter
    from orchestrator.scheduling.view import View
    from orchestrator.store.records import Attempt, RunRecord
    from orchestrator.workbench import Workbench
    from plans.graph import PlanGraph


class Crew:
    """Works for one run.

    What it knows of commands it reads from their records, so a resumed run is no different from a new one.
    """

    def __init__(
        self, bench: Workbench, run: RunRecord, graph: PlanGraph, starter: Starter, finisher: Finisher
    ) -> None:
        self._bench = bench
        self._run = run
        self._graph = graph
        self._starter = starter
        self._finisher = finisher

    def start(self, attempt: Attempt, view: View) -> None:
        """Take a ``preparing`` attempt further."""
        self._starter.start(attempt, self._graph.plans[PlanId(attempt.plan)], view)

    def ended(self) -> tuple[Attempt, ...]:
        """Running attempts whose command has ended, or whose supervisor is gone."""
        return tuple(a for a in self._running() if isinstance(self._poll(a), Ended))

    def finish(self, attempt: Attempt) -> None:
        """Take a running attempt whose command has ended further."""
        ended = self._poll(attempt)
        assert isinstance(ended, Ended)
        plan = self._graph.plans[PlanId(attempt.plan)]
        self._finisher.finish(attempt, plan, self._handle(attempt), ended)

    def wait(self, wake: threading.Event, seconds: float, *, without: Collection[str] = ()) -> None:
        """Wait until a command has ended, ``wake`` is set, or the time is over.

        Attempts in ``without`` are in somebody's hands already: their commands are not waited for.
        """
        handles = [h for a in self._running() if a.id not in without and (h := self._handle(a))]
        wait(handles, wake, seconds)

    def stop_all(self) -> None:
        """Ask every supervisor of the run to end its tree."""
        for attempt in self._running():
            handle = self._handle(attempt)
            if handle is not None:
                stop(handle)

    def wait_for_all(self) -> None:
        """Wait until every command of the run has ended; their supervisors have been asked, and will."""
        never = threading.Event()
        while handles := [
            h for a in self._running() if (h := self._handle(a)) and isinstance(poll(h), Running)
        ]:
            wait(handles, never, 60.0)

    def interrupt(self, attempt: Attempt) -> None:
        """Note that the end of this attempt was planctl's own: it runs again when the run is resumed."""
        self._finisher.interrupted(attempt)

    def _running(self) -> tuple[Attempt, ...]:
        return tuple(self._bench.store.attempts(run=self._run.id, states={AttemptState.RUNNING}))

    def _handle(self, attempt: Attempt) -> Supervised | None:
        return find(record_dir(self._bench, attempt.supervisor)) if attempt.supervisor else None

    def _poll(self, attempt: Attempt) -> Running | Ended:
        handle = self._handle(attempt)
        return poll(handle) if handle else Ended(Outcome.LOST)
