"""Run a planner over changes on a virtual clock, and hold it against the serial oracle.

Checks pass when all that they test is sound and nothing in the tree breaks together; they are red by
accident with the probability ``flake``. Nothing else is made up: what is checked, stopped, landed and
ejected is the planner's, and what is still known after a landing is :mod:`orchestrator.planning.knowledge`'s.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING

from orchestrator.planning import window
from orchestrator.planning.calibration import Told
from orchestrator.planning.estimate import MOST_PATHS, Experience, Traits
from orchestrator.planning.knowledge import after_ejection, after_landing, moved, noted
from orchestrator.planning.model import TRIES, Item, Known, Rates, Snapshot, Stack, Wanted
from orchestrator.simulation.line import Line
from orchestrator.simulation.oracle import broken
from orchestrator.simulation.workload import by_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.estimate import Estimate
    from orchestrator.simulation.line import Key
    from orchestrator.simulation.workload import Change

Planner = Callable[[Snapshot], Wanted]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where the planner works: ``slots`` checks at once, ``rates`` as it is told, the true ``flake`` rate.

    ``order`` is the queue's, by keys that do not change with time. ``twice``: one stack may be checked twice
    at once. ``tries``: red checks by which a change is rejected. ``learns``: it is told what is estimated by
    what became of the changes before, see :mod:`orchestrator.planning.estimate`; else what each change says.
    """

    slots: int
    rates: Rates
    flake: float = 0.0
    seed: int = 0
    order: Key = by_age
    twice: bool = True
    tries: int = TRIES
    learns: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a simulation; ``busy`` the seconds that checks took in all.

    ``turnaround`` in seconds, in the order in which the changes were decided. ``told``: what was estimated of
    each, where that is learned.
    """

    landed: list[str] = field(default_factory=list)
    ejected: list[str] = field(default_factory=list)
    turnaround: dict[str, float] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    checks: int = 0
    stopped: int = 0
    busy: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class _Running:
    stack: Stack
    began: float
    passes: bool


class Simulation:
    """One queue, from its first change to the last decision."""

    def __init__(self, changes: Sequence[Change], planner: Planner, conditions: Conditions) -> None:
        self._changes = {change.id: change for change in changes}
        self._broken = broken(changes)
        self._planner = planner
        self._conditions = conditions
        self._random = Random(conditions.seed)  # noqa: S311 - a simulation, to be repeated
        self._numbers = count()
        self._ends: list[tuple[float, int]] = []
        self._running: dict[int, _Running] = {}
        self._waiting = Line(conditions.order)
        self._known: dict[Stack, Known] = {}
        self._landed: set[str] = set()
        self._window = window.FIRST
        self._experience = Experience()
        self._usual = 1 - conditions.rates.failure
        self._traits = {change.id: _traits(change) for change in changes}
        self._estimates: dict[str, Estimate] = {}
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Until every change is decided. Raises AssertionError when the queue stands still."""
        arrivals = deque(self._changes.values())
        while arrivals or self._ends:
            now = min([a.arrives for a in islice(arrivals, 1)] + [end for end, _ in self._ends[:1]])
            while arrivals and arrivals[0].arrives <= now:
                self._waiting.add(arrivals.popleft())
            while self._ends and self._ends[0][0] <= now:
                self._end(heapq.heappop(self._ends)[1], now)
            self._settle(now)
        assert not len(self._waiting), f"{len(self._waiting)} changes are never decided"
        return self.outcome

    def _end(self, number: int, now: float) -> None:
        """A check is done, if it was not stopped before."""
        done = self._running.pop(number, None)
        if done is not None:
            self.outcome.busy += now - done.began
            self.outcome.ended = now
            self._known = noted(self._known, done.stack, passed=done.passes)

    def _settle(self, now: float) -> None:
        """Do what the planner wants until it wants nothing more but checks that are at work."""
        wanted = self._planner(self._snapshot())
        while wanted.land or wanted.eject:
            if wanted.land:
                self._land(wanted.land, now)
            elif wanted.eject:
                self._eject(wanted.eject, now)
            wanted = self._planner(self._snapshot())
        missing = Counter(wanted.checks)
        unwanted = set()
        for number, running in self._running.items():
            if missing[running.stack]:
                missing[running.stack] -= 1
            else:
                unwanted.add(number)
        self._stop(unwanted, now)
        for stack in missing.elements():
            self._begin(stack, now)
        assert len(self._running) <= self._conditions.slots, "more checks than slots"

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            items=self._items(),
            meets=self._waiting.meets,
            known=self._known,
            running=tuple(running.stack for running in self._running.values()),
            slots=self._conditions.slots,
            rates=self._conditions.rates,
            window=self._window,
            twice=self._conditions.twice,
            tries=self._conditions.tries,
        )

    def _items(self) -> tuple[Item, ...]:
        if not self._conditions.learns:
            return self._waiting.items
        return tuple(Item(item.id, self._estimate(item.id).success) for item in self._waiting.items)

    def _estimate(self, name: str) -> Estimate:
        if name not in self._estimates:
            self._estimates[name] = self._experience.estimate(self._traits[name], self._usual)
        return self._estimates[name]

    def _learn(self, name: str, *, landed: bool) -> None:
        if self._conditions.learns:
            self.outcome.told.append(Told(self._estimate(name).told, self._usual, landed))
            self._experience = self._experience.after(self._traits[name], self._usual, landed=landed)
            self._estimates = {}

    def _begin(self, stack: Stack, now: float) -> None:
        number = next(self._numbers)
        accident = self._conditions.flake and self._random.random() < self._conditions.flake
        self._running[number] = _Running(stack, now, self._is_green(stack) and not accident)
        seconds = max(self._changes[name].seconds for name in stack.tested)
        heapq.heappush(self._ends, (now + seconds, number))
        self.outcome.checks += 1

    def _is_green(self, stack: Stack) -> bool:
        there = self._landed.union(stack.members)
        changes = [self._changes[name] for name in stack.members]
        return all(change.sound and there.isdisjoint(self._broken[change.id]) for change in changes)

    def _stop(self, numbers: set[int], now: float) -> None:
        for number in numbers:
            self.outcome.busy += now - self._running.pop(number).began
            self.outcome.stopped += 1

    def _land(self, stack: Stack, now: float) -> None:
        assert not stack.assumed, "landed on what has not landed"
        assert self._is_green(stack), "landed what is red"
        landed = frozenset(stack.tested)
        self._known = after_landing(self._known, landed, self._meets)
        moved_on = {n: (r, moved(r.stack, landed, self._meets)) for n, r in self._running.items()}
        self._stop({n for n, (_, stack) in moved_on.items() if stack is None}, now)
        for number, (running, left) in moved_on.items():
            if left is not None:
                self._running[number] = replace(running, stack=left)
        self._landed |= landed
        self._window = window.after(self._window, landed=True)
        self.outcome.landed += stack.tested
        for name in stack.tested:
            self._learn(name, landed=True)
        self._decide(stack.tested, now)

    def _eject(self, name: str, now: float) -> None:
        self._known = after_ejection(self._known, name)
        self._stop({n for n, r in self._running.items() if name in r.stack.members}, now)
        self._window = window.after(self._window, landed=False)
        self.outcome.ejected.append(name)
        self._learn(name, landed=False)
        self._decide((name,), now)

    def _decide(self, names: tuple[str, ...], now: float) -> None:
        for name in names:
            self.outcome.turnaround[name] = now - self._waiting.take(name).arrives

    def _meets(self, one: str, other: str) -> bool:
        return other in self._changes[one].meets or one in self._changes[other].meets


def _traits(change: Change) -> Traits:
    few = tuple(sorted(change.paths)) if len(change.paths) <= MOST_PATHS else ()
    return Traits(change.id, change.id, len(change.paths), few)
