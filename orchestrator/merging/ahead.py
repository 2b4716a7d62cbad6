"""Checks of entries before it is their turn, as many at once as ``check_jobs`` says: prefix speculation.

While the worker checks one entry, the checks of those behind it run on the trees that they will have if what
is undecided passes (:mod:`.foresight`). All that comes of it is verdicts: at its turn an entry's tree has
passed already, or its check is at work and is waited for, or it is checked as ever. So nothing here decides
about a landing, and what was assumed in vain costs time and nothing else. A red verdict is not used at the
entry's turn: the check is run again, which is the second try before anybody is blamed.

After the speculative merging of Zuul (its documentation, "Project Gating"); with one check at a time nothing
of this is at work. One thread looks, whenever something has changed and every :data:`POLL` seconds:

1. what is foreseen, read anew
2. checks of trees that are not foreseen any more are stopped: an entry before was refused or has come
   between, the queue is paused
3. as long as there are places: the first turn whose tree has not been tried is checked, in a thread and a
   check slot of its own. One place is kept for the worker, unless its entry's tree has passed or is at work

What fails here (git, a disk, a lost object) ends a check ahead, is told, and ends nothing else: the entry
itself meets it at its turn. Errors of the store come up in the worker.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from orchestrator.events import EventName
from orchestrator.merging.checking import Checker, for_whom
from orchestrator.merging.checkroom import CancelledCheckError, CheckRoom
from orchestrator.merging.foresight import FAULTS, Foresight, Turn
from orchestrator.merging.judge import checks_needed
from orchestrator.merging.lanes import Look
from orchestrator.merging.resolving import keep_ahead
from orchestrator.merging.verdicts import Verdicts
from orchestrator.running.waiting import make_wake
from plans.project_file import MAX_JOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.merging.environment import Environment
    from orchestrator.merging.foresight import Line
    from orchestrator.merging.lanes import Lanes
    from orchestrator.merging.verdicts import Tally
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Candidate

DEPTH: Final = 3
"""Turns that are foreseen for each check that may run at once."""
POLL: Final = 0.5
"""Seconds between two looks for what another process has handed in."""


@dataclass(frozen=True)
class Now:
    """What is checked at its turn: ``unit`` on ``tip``; ``line`` reads who lands next, in order.

    With ``lanes`` there is no unit: these say what is to be checked, while the worker may be ``at_turn`` of
    one entry.
    """

    bench: Workbench
    unit: tuple[Entry, ...]
    tip: str
    environment: Environment
    line: Callable[[], Line]
    lanes: Lanes | None = None
    at_turn: Entry | None = None

    @property
    def most(self) -> int:
        """How many checks may run at once, the worker's own included."""
        return self.bench.settings.project.checks_at_once

    def is_at(self, turn: Turn) -> bool:
        """Whether ``turn`` is the one that is at work."""
        return bool(self.unit) and turn.entries[0].id == self.unit[0].id


@dataclass(eq=False)
class _Job:
    """``rank`` is its place in line; ``trees`` are all that it checks, its candidate's the last."""

    now: Now
    turn: Turn
    trees: frozenset[str]
    rank: int
    cancel: threading.Event = field(default_factory=make_wake)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def tree(self) -> str:
        """The tree that the target will have."""
        return self.turn.candidate.tree


class Ahead:
    """Runs checks ahead in threads of its own, from the first :meth:`at` to the end of the ``with``.

    ``cancel`` is the worker's: set, it stops them as well; ``tally`` is the tenure's. ``on_change`` is called
    in those threads when a check has ended: with lanes that may decide what lands next.
    """

    def __init__(
        self, keeper: SlotKeeper, cancel: threading.Event, tally: Tally, on_change: Callable[[], None]
    ) -> None:
        self._on_change = on_change
        self._tally = tally
        self._keeper = keeper
        self._cancel = cancel
        self._foresight = Foresight()
        self._changed = threading.Condition()
        self._now: Now | None = None
        self._jobs: list[_Job] = []
        self._tried: set[str] = set()
        self._pool = ThreadPoolExecutor(MAX_JOBS + 1, thread_name_prefix="ahead")
        self._threads: list[Future[None]] = []
        self._own = self._looks = self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._stop(self._jobs)
        self._pool.shutdown()

    def at(self, now: Now) -> None:
        """The checks of this entry begin; those behind it may be checked. Raises what the store raised."""
        with self._changed:
            for thread in [thread for thread in self._threads if thread.done()]:
                self._threads.remove(thread)
                thread.result()
            self._now = now
            if (now.most > 1 or now.lanes) and not self._looks:
                self._looks = True
                self._threads.append(self._pool.submit(self._look))
            self._changed.notify_all()

    def hold(self) -> None:
        """Nothing is foreseen until :meth:`at`: what lands next is being found out. Checks at work go on."""
        with self._changed:
            self._now = None

    def rest(self) -> None:
        """Nothing is at its turn, or the target has moved otherwise: nothing is checked ahead."""
        with self._changed:
            self._now = None
            self._stop(self._jobs)

    def under_way(self, tree: str) -> threading.Event | None:
        """See :class:`Beside`."""
        with self._changed:
            return next((job.ended for job in self._jobs if tree in job.trees), None)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place for the worker's own check; where all are taken, the last ones in line give way."""
        with self._changed:
            self._own = True
            most = self._now.most if self._now else 1
            while len(self._jobs) >= most and not self._cancel.is_set():
                self._stop(self._last(len(self._jobs) - most + 1))
                self._changed.wait(POLL)
        try:
            yield
        finally:
            with self._changed:
                self._own = False
                self._changed.notify_all()

    def _last(self, count: int) -> list[_Job]:
        return sorted(self._jobs, key=lambda job: job.rank)[-count:] if count > 0 else []

    def _stop(self, jobs: list[_Job]) -> None:
        for job in jobs:
            job.cancel.set()
        self._changed.notify_all()

    def _look(self) -> None:
        with self._changed:
            while not self._over:
                if self._cancel.is_set():
                    self._stop(self._jobs)
                elif self._now is not None:
                    try:
                        self._match(self._now)
                    except FAULTS:  # a candidate that nothing refers to is gone: git may prune those
                        self._foresight = Foresight()
                self._changed.wait(POLL)

    def _match(self, now: Now) -> None:
        """Stop and start checks so that those at work are the first of what is foreseen."""
        turns = self._turns(now)
        ranks = {turn.candidate.tree: rank for rank, turn in enumerate(turns)}
        ranks |= dict.fromkeys(self._waited_for(now, turns), -1)
        for job in self._jobs:
            job.rank = ranks.get(job.tree, len(ranks))
        self._stop([job for job in self._jobs if job.tree not in ranks])
        most = now.most - self._keeps_place(now, turns)
        self._stop(self._last(len(self._jobs) - most))
        for rank, turn in enumerate(turns):
            if len(self._jobs) >= most:
                break
            if not now.is_at(turn) and self._is_open(turn):
                self._start(now, turn, rank)

    def _turns(self, now: Now) -> tuple[Turn, ...]:
        if now.lanes:
            running = [job.turn for job in self._jobs if not job.cancel.is_set()]
            look = Look(now.bench, now.tip, now.line().behind, now.at_turn)
            return now.lanes.turns(look, self._foresight, running)
        return self._foresight.turns(now.bench, now.tip, now.line(), partial(_said, now))

    def _keeps_place(self, now: Now, turns: tuple[Turn, ...]) -> bool:
        """Whether the worker checks something itself, or is about to."""
        at_turn = next((turn for turn in turns if now.is_at(turn)), None)
        if self._own or at_turn is None:
            return self._own or not (now.lanes or self._waited_for(now, turns))
        return not self._is_at_work(at_turn) and at_turn.said is not True

    def _waited_for(self, now: Now, turns: tuple[Turn, ...]) -> set[str]:
        """The trees of who is at their turn and yet not to land, being frozen meanwhile.

        The worker waits for their checks: one that was stopped it would begin anew.
        """
        if any(now.is_at(turn) for turn in turns):
            return set()
        return {job.tree for job in self._jobs if now.is_at(job.turn)}

    def _is_open(self, turn: Turn) -> bool:
        tried = turn.candidate.tree in self._tried and not turn.token
        return turn.said is None and not tried and not self._is_at_work(turn)

    def _is_at_work(self, turn: Turn) -> bool:
        return any(job.tree == turn.candidate.tree for job in self._jobs)

    def _start(self, now: Now, turn: Turn, rank: int) -> None:
        trees = frozenset(map(now.bench.objects.tree_of, turn.candidate.steps))
        job = _Job(now, turn, trees, rank)
        self._jobs.append(job)
        self._threads.append(self._pool.submit(self._carry_out, job))

    def _carry_out(self, job: _Job) -> None:
        passed: bool | None = None
        try:
            keep_ahead(job.now.bench, job.turn.entries[-1].id, job.turn.candidate.commit)
            passed = _check(job, CheckRoom(job.now.bench, self._keeper, job.cancel), self._tally)
        except CancelledCheckError:
            _tell_stopped(job, "what was to land before it will not")
        except FAULTS as error:
            _tell_stopped(job, str(error))
        finally:
            with self._changed:
                self._jobs.remove(job)
                if job.now.lanes and not job.cancel.is_set():
                    job.now.lanes.ended(job.turn, passed)
                if not job.cancel.is_set():
                    self._tried.add(job.tree)  # whatever was said: at its turn it is asked again
                job.ended.set()
                self._changed.notify_all()
            self._on_change()


def _check(job: _Job, room: CheckRoom, tally: Tally) -> bool | None:
    """What the checks of a turn said: all green, one red, or no verdict (None)."""
    bench, turn = job.now.bench, job.turn
    checker = Checker(bench, room, tally=tally, environment=job.now.environment, ahead=True)
    for commit, check in checks_needed(bench.settings.project, turn.entries, turn.candidate):
        passed = checker.verdict(check, commit, turn.entries).passed
        if not passed:
            return passed
    return True


def _said(now: Now, entries: tuple[Entry, ...], candidate: Candidate) -> bool | None:
    """What is known of a candidate's checks: one was red; all are green, or there is none; None: neither."""
    verdicts, project = Verdicts(now.bench, now.environment), now.bench.settings.project
    needed = checks_needed(project, entries, candidate)
    said = [verdicts.said(check, now.bench.objects.tree_of(commit)) for commit, check in needed]
    if False in said:
        return False
    return None if None in said else True


def _tell_stopped(job: _Job, why: str) -> None:
    bench, turn = job.now.bench, job.turn
    about = {**for_whom(turn.entries), "commit": turn.candidate.commit, "ahead": True, "why": why}
    bench.store.emit(EventName.CHECK_STOPPED, at=bench.clock.now(), **about)
