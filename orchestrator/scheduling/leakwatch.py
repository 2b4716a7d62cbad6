"""Looks, while plans run, at the user's main checkout: what was written there, and what points to a plan.

Nothing in the checkout is changed, locked or held. In a thread of its own, at a pace set by its cost: one
look for processes of plans in there takes ``_SHARE_OF_VISITS`` of a core at most, a look at the files (git
status) ``_SHARE_OF_LOOKS``. A look is made as well when a command has ended well, before its work is
finished, and when the run ends.

Promised: a file that is not ignored, was written between two looks and is not committed at the second is in
a row. Not promised: what was put back in between, ignored files, anything while a merge or rebase of the
user's is under way (told after it), and that whoever wrote is found.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName
from orchestrator.running.visits import visits
from orchestrator.scheduling import leaktable
from orchestrator.scheduling.declared import counts
from orchestrator.scheduling.leakclues import Clues
from orchestrator.scheduling.leaks import Leak, News, news, why
from orchestrator.scheduling.leaktable import Leaked, row_data
from orchestrator.states import AttemptState
from orchestrator.store.looks import AT_WORK
from orchestrator.submitting.published import outputs_of
from plans.ids import PlanId
from plans.project import Leaks
from worktrees.lastwrites import last_writes, written
from worktrees.pool import pool_folder
from worktrees.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.running.visits import Visit
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan
    from worktrees.lastwrites import Mark

_SHARE_OF_VISITS: Final = 0.005
_SHARE_OF_LOOKS: Final = 0.01
EVERY: Final = 0.5
"""Seconds between two looks, at least."""
_KEEP: Final = 10.0
"""Seconds after which the store hears that nothing has happened."""
_TRIES: Final = 3


class LeakWatch:
    """Watches the main checkout for one run; may be used from any thread."""

    def __init__(self, bench: Workbench, run: str, plans: Mapping[PlanId, Plan]) -> None:
        self._bench = bench
        self._run = run
        self._plans = plans
        top = None if bench.settings.project.leaks is Leaks.OFF else bench.main_checkout
        self._top = top and top.resolve()  # as /proc names what is in it
        self._own = _own_places(bench, self._top) if self._top else ()
        self._lock = threading.Lock()
        self._before: Mapping[str, Mark] | None = None
        self._since = leaktable.load(bench.store, run).looked or bench.clock.now()
        self._kept = 0.0
        self._seen: dict[tuple[str, str], Visit] = {}

    def watch(self, ended: threading.Event, on_change: Callable[[], None]) -> None:
        """Look until ``ended`` is set; ``on_change`` is called when there is news."""
        clock, due = self._bench.clock, 0.0
        while self._top is not None and not ended.is_set():
            began = clock.monotonic()
            self.look_around()
            after = clock.monotonic()
            pause = max(EVERY, (after - began) / _SHARE_OF_VISITS)
            if after >= due:
                if self.look():
                    on_change()
                cost = clock.monotonic() - after
                due = clock.monotonic() + max(EVERY, cost / _SHARE_OF_LOOKS)
            clock.wait(ended, pause)

    def look_around(self) -> None:
        """Note which processes of plans are in the checkout now."""
        if self._top is None:
            return
        running = self._bench.store.attempts(states={AttemptState.RUNNING})
        found = visits(str(self._top), {a.supervisor for a in running if a.supervisor})
        with self._lock:
            self._seen |= {(visit.supervised, visit.path): visit for visit in found}

    def look_at_the_end(self) -> None:
        """A look that is not put off: while git is at work there once more, a few times."""
        for _ in range(_TRIES):
            if self._look() is not None:
                return

    def look(self) -> bool:
        """Look at the files once; return whether anything is new."""
        told = self._look()
        return told is not None and bool(told.told or told.cleared)

    def _look(self) -> News | None:
        """What is new; None where nothing could be told."""
        if self._top is None:
            return News({})
        with self._lock:
            began = self._bench.clock.now()
            attempts = self._attempts()
            if not attempts:  # whatever is written now is the user's
                self._before, self._since = None, began
                self._seen.clear()
            if not attempts and not leaktable.load(self._bench.store, self._run).rows:
                return News({})
            marks = last_writes(self._bench.git, self._top)
            if isinstance(marks, Unread):
                return None
            now = {path: mark for path, mark in marks.items() if not path.startswith(self._own)}
            paths = written(self._before, now, _nanoseconds(self._since, began)) if attempts else ()
            told = self._note(paths, attempts, now, began)
            self._before, self._since = now if attempts else None, began
            self._seen.clear()
            return told

    def _attempts(self) -> list[Attempt]:
        """The attempts that have been at work since the last look began, of any run that counts."""
        store, clock = self._bench.store, self._bench.clock
        own = store.attempts_at_work(self._run, self._since)
        others = store.attempts(states=AT_WORK)
        return [*own, *(a for a in others if a.run != self._run and counts(store, clock, a))]

    def _note(
        self, paths: tuple[str, ...], attempts: list[Attempt], now: Mapping[str, Mark], at: str
    ) -> News:
        """Look for clues, anew for files that point to nobody yet, and store and tell what is new."""
        store, clues = self._bench.store, Clues(self._bench, self._top_of(), self._plans)
        stored = leaktable.load(store, self._run)
        candidates = tuple(sorted({attempt.plan for attempt in attempts}))
        fresh = clues.of(paths[: leaktable.MOST_ROWS], attempts, self._seen.values())
        found = [Leak(path, at, candidates, tuple(fresh.get(path, ()))) for path in paths]
        open_ones = [leak for p, leak in stored.rows.items() if not leak.plan and p in now and p not in fresh]
        again = clues.of([leak.path for leak in open_ones], attempts, ())
        found += [
            replace(leak, clues=tuple(dict.fromkeys([*leak.clues, *again[leak.path]]))) for leak in open_ones
        ]
        told = news(stored.rows, found, now)
        moment = self._bench.clock.monotonic()
        if told.rows != stored.rows or moment - self._kept >= _KEEP:
            self._kept = moment
            with store.transaction():
                leaktable.save(store, self._run, Leaked(told.rows, at))
                self._tell(told, at)
        return told

    def _tell(self, told: News, at: str) -> None:
        """One event for all files of which the same is known."""
        alike: dict[tuple[str, str], list[Leak]] = {}
        for leak in told.told:
            alike.setdefault((leak.plan, why(leak)), []).append(leak)
        for (plan, text), leaks in alike.items():
            self._bench.store.emit(
                EventName.PLAN_LEAKED if plan else EventName.CHECKOUT_WRITTEN,
                at=at,
                run=self._run,
                plan=plan or None,
                checkout=str(self._top),
                files=[row_data(leak) for leak in leaks[: leaktable.MOST_ROWS]],
                count=len(leaks),
                text=text,
            )
        if told.cleared:
            self._bench.store.emit(EventName.CHECKOUT_CLEARED, at=at, run=self._run, paths=list(told.cleared))

    def _top_of(self) -> Path:
        assert self._top is not None, "asked only while something is watched"
        return self._top


def _own_places(bench: Workbench, top: Path) -> tuple[str, ...]:
    """What planctl itself writes inside the checkout: worktrees and outputs, where they are configured so."""
    pool = pool_folder(bench.repository, bench.settings.project.worktrees)
    outputs = outputs_of(bench, PlanId("x")).folder.parent
    return tuple(f"{place.relative_to(top)}/" for place in (pool, outputs) if place.is_relative_to(top))


def _nanoseconds(since: str, now: str) -> int:
    """``since`` as files count time, a little early for their coarser clock; 0 where time was set back."""
    if since > now:
        return 0
    return int((datetime.fromisoformat(since).timestamp() - 0.05) * 1e9)
