"""The only loop of a run: read, decide, apply, wait; until nothing can move any more.

What takes long (provisioning, committing what a command left) is done by a pool of threads, which wakes
the loop. A round:

1. errors of the pool come up here
2. commands that have ended are handed to the pool
3. in one transaction: the view, the decisions, the moves
4. starts are handed to the pool
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from orchestrator.scheduling.apply import apply
from orchestrator.scheduling.decide import End, Wait, decide

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from orchestrator.scheduling.crew import Crew
    from orchestrator.scheduling.decide import Decision
    from orchestrator.scheduling.observe import Observer
    from orchestrator.scheduling.view import View
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench

POLL: Final = 0.5
"""Seconds between two rounds when nothing wakes the loop; other processes cannot."""
MOST_THREADS: Final = 16


class RunLoop:
    """Brings one run to its end. ``wake`` is set by whoever changed something in this process."""

    def __init__(
        self,
        bench: Workbench,
        observer: Observer,
        crew: Crew,
        *,
        jobs: int,
        wake: threading.Event,
        stop: threading.Event,
    ) -> None:
        self._bench = bench
        self._observer = observer
        self._crew = crew
        self._wake = wake
        self._stop = stop
        self._jobs = jobs
        self._busy: dict[str, Future[None]] = {}

    def go(self, each_round: Callable[[View], None]) -> None:
        """Work until the run has ended or ``stop`` is set; ``each_round`` may raise to end it."""
        threads = min(self._jobs, MOST_THREADS)
        with ThreadPoolExecutor(threads, thread_name_prefix="plan") as pool:
            while not self._stop.is_set():
                self._collect()
                self._hand_over_ended(pool)
                view, decisions = self._round(pool)
                each_round(view)
                if any(isinstance(decision, End) for decision in decisions) and not self._busy:
                    return
                if all(isinstance(decision, Wait | End) for decision in decisions):
                    self._crew.wait(self._wake, POLL)
                self._wake.clear()

    def _collect(self) -> None:
        for attempt, future in list(self._busy.items()):
            if future.done():
                del self._busy[attempt]
                future.result()

    def _hand_over_ended(self, pool: ThreadPoolExecutor) -> None:
        for attempt in self._crew.ended():
            if attempt.id not in self._busy:
                self._submit(pool, attempt, self._crew.finish)

    def _round(self, pool: ThreadPoolExecutor) -> tuple[View, tuple[Decision, ...]]:
        with self._bench.store.transaction():
            view = self._observer.view()
            decisions = decide(view)
            started = [apply(self._bench, view, decision) for decision in decisions]
        for attempt in started:
            if attempt is not None:
                self._submit(pool, attempt, lambda a: self._crew.start(a, view))
        return view, decisions

    def _submit(self, pool: ThreadPoolExecutor, attempt: Attempt, work: Callable[[Attempt], None]) -> None:
        def carry_out() -> None:
            try:
                work(attempt)
            finally:
                self._wake.set()

        self._busy[attempt.id] = pool.submit(carry_out)
