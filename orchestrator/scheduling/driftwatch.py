"""Looks, while plans run, at what they change: one worktree after the other, at a pace set by the cost.

In a thread of its own, so that no look holds up the scheduler. A look is followed by a pause that makes it
``SHARE`` of a core at most, however many worktrees there are and however large they are: what grows is the
time until a drift is noticed. The cost is measured as time that passed, which a look's work cannot exceed
(git looks with one thread); on a busy machine it looks less often.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName
from orchestrator.scheduling import drifttable
from orchestrator.scheduling.driftlook import Looker
from orchestrator.scheduling.driftnews import news
from orchestrator.scheduling.drifttable import NO_DRIFT
from orchestrator.states import ACTIVE_ATTEMPTS, WORKTREE_ATTEMPTS, AttemptState
from plans.ids import PlanId
from worktrees.unread import Unread

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from orchestrator.scheduling.driftnews import News
    from orchestrator.scheduling.drifttable import Drifted
    from orchestrator.scheduling.observe import Observer
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan

SHARE: Final = 0.015
"""Of one core, at most."""
EVERY: Final = 0.5
"""Seconds between two looks at the same worktree, at least."""
_LOOKED_AT: Final = ACTIVE_ATTEMPTS - {AttemptState.PREPARING}


def pause(cost: float, attempts: int) -> float:
    """Seconds to wait after a look that took ``cost`` seconds, when ``attempts`` are looked at in turn."""
    return max(cost / SHARE, EVERY / max(attempts, 1))


class DriftWatch:
    """Watches the plans of one run; ``on_change`` is called when who waits for whom may have changed."""

    def __init__(self, bench: Workbench, run: str, observer: Observer, plans: Mapping[PlanId, Plan]) -> None:
        self._bench = bench
        self._run = run
        self._plans = plans
        self._looker = Looker(bench, observer)
        self._settled: set[str] = set()

    def watch(self, ended: threading.Event, on_change: Callable[[], None]) -> None:
        """Look until ``ended`` is set."""
        clock = self._bench.clock
        while not ended.is_set():
            attempts = self._to_look_at()
            for attempt in attempts:
                began = clock.monotonic()
                if self.look(attempt.id):
                    on_change()
                if clock.wait(ended, pause(clock.monotonic() - began, len(attempts))):
                    return
            if not attempts:
                clock.wait(ended, EVERY)

    def look(self, key: str) -> bool:
        """Look at one attempt, if it is still at work; return whether anything is new."""
        attempt = self._bench.store.attempt(key)
        if attempt is None or attempt.state not in _LOOKED_AT:
            return False
        found = self._looker.look(attempt, self._plans[PlanId(attempt.plan)])
        store = self._bench.store
        with store.transaction():
            now = store.attempt(key)
            if now is None or now.state is not attempt.state:
                return False  # its worktree may be another's by now
            rows = drifttable.load(store, self._run)
            before = rows.get(key, NO_DRIFT)
            runs = {a.plan: a.run for a in store.attempts(states=ACTIVE_ATTEMPTS)}
            told = news(before, _row(before, found), runs)
            if attempt.state not in WORKTREE_ATTEMPTS:
                self._settled.add(key)
            if told.row == before:
                return False
            drifttable.save(store, self._run, {**rows, key: told.row})
            self._tell(attempt, told, runs)
        return True

    def _tell(self, attempt: Attempt, told: News, runs: Mapping[str, str]) -> None:
        """Emit what is new; a plan at work is told in its own run."""
        store, now, row = self._bench.store, self._bench.clock.now(), told.row
        if told.began:
            store.emit(
                EventName.PLAN_DRIFT,
                at=now,
                run=self._run,
                plan=attempt.plan,
                live=True,
                paths=list(row.paths),
                collisions=[[path, plan] for plan, path in row.touches.items()],
            )
        if told.ended:
            store.emit(
                EventName.PLAN_DRIFT_ENDED,
                at=now,
                run=self._run,
                plan=attempt.plan,
                paths=list(told.ended),
                left=row.count,
            )
        for plan in told.told:
            store.emit(
                EventName.PLAN_TOUCHED,
                at=now,
                run=runs[plan],
                plan=plan,
                by=attempt.plan,
                path=row.touches[plan],
            )

    def _to_look_at(self) -> list[Attempt]:
        """Attempts at work, and once each those that have finished; rows of others are dropped."""
        store = self._bench.store
        active = {a.id: a for a in store.attempts(run=self._run, states=_LOOKED_AT)}
        rows = drifttable.load(store, self._run)
        if rows.keys() - active.keys():
            drifttable.save(store, self._run, {k: row for k, row in rows.items() if k in active})
        self._looker.keep(active)
        self._settled &= active.keys()
        return [a for a in active.values() if a.id not in self._settled]


def _row(before: Drifted, found: Drifted | Unread) -> Drifted:
    """A look that told nothing leaves what was known, and says why."""
    return replace(before, unread=found.why) if isinstance(found, Unread) else found
