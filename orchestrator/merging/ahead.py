"""Checks of entries before it is their turn, as many at once as ``check_jobs`` says: prefix speculation.

While the worker brings one entry as far as it goes, the checks of those behind it run on the trees that they
will have if what is undecided passes (:mod:`.foresight`). All that comes of it is verdicts: at its turn an
entry's tree has passed already, or its check is at work and is waited for, or it is checked as ever. So
nothing here decides about a landing, and what was assumed in vain costs time and nothing else. A red verdict
is not used at the entry's turn: the check is run again, which is the second try before anybody is blamed.

After the speculative merging of Zuul (its documentation, "Project Gating"); with one check at a time nothing
of this is at work. One thread looks, whenever something has changed and every :data:`POLL` seconds:

1. what is foreseen, read anew
2. checks of trees that are not foreseen any more are stopped: an entry before was refused or has come
   between, the target has moved otherwise, the queue is paused
3. as long as there are places: the first turn whose verdict is neither known nor under way is checked, in a
   thread and a check slot of its own
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from orchestrator.events import EventName
from orchestrator.merging.checking import Checker
from orchestrator.merging.checkroom import CancelledCheckError, CheckRoom
from orchestrator.merging.foresight import Foresight, Turn
from orchestrator.merging.judge import checks_needed
from orchestrator.running.waiting import make_wake
from plans.project_file import MAX_JOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

DEPTH: Final = 3
"""Turns that are foreseen for each check that may run at once."""
POLL: Final = 0.5
"""Seconds between two looks for what another process has handed in."""


@dataclass(frozen=True)
class Now:
    """What is at its turn: ``entry`` on ``tip``; ``line`` reads who is behind it, in order."""

    bench: Workbench
    entry: Entry
    tip: str
    line: Callable[[], tuple[Entry, ...]]


@dataclass(eq=False)
class _Job:
    bench: Workbench
    turn: Turn
    trees: frozenset[str]
    cancel: threading.Event = field(default_factory=make_wake)
    ended: threading.Event = field(default_factory=threading.Event)


class Ahead:
    """Runs checks ahead in threads of its own, from the first :meth:`at` to the end of the ``with``."""

    def __init__(self, keeper: SlotKeeper) -> None:
        self._keeper = keeper
        self._foresight = Foresight()
        self._changed = threading.Condition()
        self._now: Now | None = None
        self._asking: Checker | None = None
        self._jobs: list[_Job] = []
        self._in_vain: set[str] = set()
        self._pool = ThreadPoolExecutor(MAX_JOBS + 1, thread_name_prefix="ahead")
        self._threads: list[Future[None]] = []
        self._own = self._looks = self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._stop_all()
        self._pool.shutdown()

    def at(self, now: Now | None) -> None:
        """It is the turn of this entry, or (None) of nobody: then nothing is checked ahead either.

        Raises what a check ahead has failed with: not that it was red, but that git or the disk failed.
        """
        with self._changed:
            for thread in [thread for thread in self._threads if thread.done()]:
                self._threads.remove(thread)
                thread.result()
            self._now = now
            if now is None:
                self._stop_all()
                return
            room = CheckRoom(now.bench, self._keeper, threading.Event())
            self._asking = Checker(now.bench, room)
            if now.bench.settings.project.check_jobs > 1 and not self._looks:
                self._looks = True
                self._threads.append(self._pool.submit(self._look))
            self._changed.notify_all()

    def under_way(self, tree: str) -> threading.Event | None:
        """See :class:`Beside`."""
        with self._changed:
            return next((job.ended for job in self._jobs if tree in job.trees), None)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place for the worker's own check; where all are taken, the last one in line gives way."""
        with self._changed:
            self._own = True
            most = self._now.bench.settings.project.check_jobs if self._now else 1
            if len(self._jobs) >= most > 1:
                self._jobs[-1].cancel.set()
            while len(self._jobs) >= most > 1:
                self._changed.wait(POLL)
        try:
            yield
        finally:
            with self._changed:
                self._own = False
                self._changed.notify_all()

    def _stop_all(self) -> None:
        for job in self._jobs:
            job.cancel.set()
        self._changed.notify_all()

    def _look(self) -> None:
        with self._changed:
            while not self._over:
                if self._now is not None:
                    self._match(self._now)
                self._changed.wait(POLL)

    def _match(self, now: Now) -> None:
        """Stop and start checks so that those at work are the first of what is foreseen."""
        turns = self._foresight.turns(now.bench, now.tip, (now.entry, *now.line()), self._is_red)
        foreseen = {turn.candidate.tree for turn in turns}
        for job in self._jobs:
            if job.turn.candidate.tree not in foreseen:
                job.cancel.set()
        places = now.bench.settings.project.check_jobs - len(self._jobs) - self._needs_own(now, turns)
        for turn in turns:
            if places <= 0:
                break
            if turn.entry.id != now.entry.id and self._is_open(turn):
                steps = map(now.bench.objects.tree_of, turn.candidate.steps)
                job = _Job(now.bench, turn, frozenset(steps))
                self._jobs.append(job)
                self._threads.append(self._pool.submit(self._carry_out, job))
                places -= 1

    def _needs_own(self, now: Now, turns: tuple[Turn, ...]) -> bool:
        """Whether the worker checks something itself, or is about to."""
        at_turn = next((turn for turn in turns if turn.entry.id == now.entry.id), None)
        return self._own or (at_turn is not None and self._is_open(at_turn))

    def _is_open(self, turn: Turn) -> bool:
        tree = turn.candidate.tree
        at_work = any(job.turn.candidate.tree == tree for job in self._jobs)
        return not at_work and tree not in self._in_vain and self._said(turn) is None

    def _is_red(self, turn: Turn) -> bool:
        return self._said(turn) is False

    def _said(self, turn: Turn) -> bool | None:
        """What is known of a turn's checks: one was red; all are green, or there is none; None: neither."""
        assert self._now is not None
        assert self._asking is not None
        green = True
        for commit, check in checks_needed(self._now.bench.settings.project, turn.entry, turn.candidate):
            known = self._asking.newest(check, commit)
            if known is not None and known.passed is False:
                return False
            green = green and known is not None and self._asking.counts(known)
        return True if green else None

    def _tell_stopped(self, job: _Job) -> None:
        store, entry = job.bench.store, job.turn.entry
        store.emit(
            EventName.CHECK_STOPPED,
            at=job.bench.clock.now(),
            run=entry.run,
            plan=entry.plan,
            entry=entry.id,
            branch=entry.branch,
            commit=job.turn.candidate.commit,
            ahead=True,
        )

    def _carry_out(self, job: _Job) -> None:
        bench, turn = job.bench, job.turn
        passed: bool | None = None
        try:
            checker = Checker(bench, CheckRoom(bench, self._keeper, job.cancel), ahead=True)
            for commit, check in checks_needed(bench.settings.project, turn.entry, turn.candidate):
                passed = checker.verdict(check, commit, turn.entry).passed
                if not passed:
                    break
        except CancelledCheckError:
            self._tell_stopped(job)
        finally:
            with self._changed:
                self._jobs.remove(job)
                if passed is None and not job.cancel.is_set():
                    self._in_vain.add(turn.candidate.tree)
                job.ended.set()
                self._changed.notify_all()
