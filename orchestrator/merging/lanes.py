"""Checks by the planner's stacks: what is apart does not wait for each other, nor is checked together.

For ``queue: lanes`` and ``queue: ranked``. What was said of which stack is remembered for this tenure, and
moves on with each landing (:mod:`orchestrator.planning.knowledge`): a stack of which a part has landed is the
rest of it on the new target, and what landed beside it voids it, unless the two are apart. With ``ranked``
none are.

An entry lands by what was said of its stack on an older target only with ``lanes``; then its own tree has no
verdict. One of :data:`SAMPLE` such landings is checked whole afterwards, before anything else lands. Is that
red, the conflict test has missed something: it is told, and all entries count as meeting each other until a
person says otherwise.

The worker asks :meth:`Lanes.next`, the checks ahead ask :meth:`Lanes.turns`, each from one reading of the
queue.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.merging.apart import Meetings
from orchestrator.merging.foresight import Turn
from orchestrator.merging.pausing import MERGED
from orchestrator.merging.rates import measured
from orchestrator.planning.knowledge import moved
from orchestrator.planning.model import TRIES, Item, Known, Snapshot, Stack
from orchestrator.planning.policy import Policy, plan
from orchestrator.submitting.standstill import noted
from plans.project import QueuePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.merging.estimating import Estimates
    from orchestrator.merging.foresight import Foresight
    from orchestrator.planning.model import Wanted
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Candidate

BY_STACKS: Final = frozenset({QueuePolicy.LANES, QueuePolicy.RANKED})
SAMPLE: Final = 8
"""One of so many landings by another tree's verdict is checked whole afterwards."""


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the queue: who could land on ``tip``, in order, and whose own turn it is beside them."""

    bench: Workbench
    tip: str
    line: tuple[Entry, ...]
    at_turn: Entry | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """The candidates of an entry on other targets that passed, and that were red as often as refuses it."""

    passed: Candidate | None = None
    refused: Candidate | None = None


NOTHING_CARRIED: Final = Carried()


@dataclass(frozen=True, slots=True)
class _Said:
    """What the check of a stack said, and of which candidate; None where there was none to check.

    ``is_red``: it gave a verdict, and did not pass.
    """

    stack: Stack
    passed: bool
    candidate: Candidate | None
    is_red: bool = False


class Lanes:
    """What one tenure knows of stacks; shared by the worker and the thread that looks ahead.

    All of it speaks of the target at one commit, the *tip*: who asks from another is told nothing new.
    """

    def __init__(self, estimates: Estimates) -> None:
        self._estimates = estimates
        self._lock = threading.RLock()
        self._tip = ""
        self._meetings = Meetings()
        self._all_meet = False
        self._said: list[_Said] = []
        self._at_work: dict[int, Stack] = {}
        self._entries: dict[str, Entry] = {}
        self._tokens = 0

    def next(self, bench: Workbench, line: Sequence[Entry]) -> Entry | None:
        """Who of ``line`` has been decided: green where it stands, or red as often as refuses an entry."""
        with self._lock:
            wanted = self._wanted(bench, line, ())
            chosen = wanted.eject or (wanted.land.tested[0] if wanted.land else None)
            return next((entry for entry in line if entry.id == chosen), None)

    def carried(self, bench: Workbench, entry: Entry) -> Carried:
        """By whose verdicts ``entry`` may land, or is out, whatever has landed beside it since."""
        alone = Stack((), (entry.id,))
        with self._lock:
            self._look_at(bench)
            said = [s for s in self._said if s.stack == alone]
            green = next((s.candidate for s in said if s.passed), None)
            reds = [s.candidate for s in said if s.is_red]
            return Carried(
                None if self._all_meet else green, reds[-1] if len(reds) >= TRIES and not green else None
            )

    @property
    def are_at_work(self) -> bool:
        """Whether there are checks under way that are still worth something."""
        with self._lock:
            return bool(self._at_work)

    def turns(self, look: Look, foresight: Foresight, running: Sequence[Turn]) -> tuple[Turn, ...]:
        """The checks that are wanted, most needed first; those of ``running`` that still are among them."""
        with self._lock:
            at_work = {self._at_work[t.token]: t for t in running if t.token in self._at_work}
            self._at_work = {turn.token: stack for stack, turn in at_work.items()}
            still = tuple(at_work.values())
            if look.tip != self._tip or self._is_to_land(look.at_turn):
                return still  # it lands, or has landed: then is the time to look
            wanted = self._wanted(look.bench, look.line, tuple(at_work))
            if wanted.land or wanted.eject:
                return still  # the worker deals with that next
            known = {entry.id: entry for entry in look.line}
            turns = [
                at_work.get(stack) or self._turn(look, stack, known, foresight) for stack in wanted.checks
            ]
            foresight.keep_used()
            return tuple(turn for turn in turns if turn is not None)

    def ended(self, turn: Turn, passed: bool | None) -> None:  # noqa: FBT001 - what a check said
        """A check has ended. What is red is tried again, what gave no verdict has its entry's own turn."""
        with self._lock:
            stack = self._at_work.pop(turn.token, None)
            if stack is not None:
                said = _Said(stack, bool(passed), turn.candidate, is_red=passed is False)
                self._said += [said] * (1 if passed is not None else TRIES)

    def has_landed(self, bench: Workbench, entries: Sequence[Entry], tip: str) -> None:
        """The target has taken these in, and is at ``tip``: what was said of stacks moves on, or is void."""
        ids = frozenset(entry.id for entry in entries)

        def meet(a: str, b: str) -> bool:
            return self._meet(bench, self._entries[a], self._entries[b])

        with self._lock:
            self._entries.update((entry.id, entry) for entry in entries)
            self._tip = tip
            moving = [(said, moved(said.stack, ids, meet)) for said in self._said]
            self._said = [replace(said, stack=stack) for said, stack in moving if stack]
            left = {token: moved(stack, ids, meet) for token, stack in self._at_work.items()}
            self._at_work = {token: stack for token, stack in left.items() if stack}

    def is_out(self, entry: str) -> None:
        """It does not land now: what holds it will not be."""
        with self._lock:
            self._keep(lambda stack: entry not in stack.members)

    def outside(self, bench: Workbench, old: str, new: str) -> None:
        """Somebody else moved the target: what was said holds where that meets nothing of the stack (L5)."""
        objects = bench.objects
        forward = bool(old) and objects.has_commit(old) and objects.is_ancestor(old, new)

        with self._lock:
            self._look_at(bench)
            self._tip = new
            counts = forward and not self._all_meet
            meets = self._meetings.with_push(bench, old, new) if counts else None
            self._keep(
                lambda stack: meets is not None and not any(meets(self._entries[n]) for n in stack.members)
            )

    def renew(self) -> None:
        """The settings are others: what was apart may meet now."""
        with self._lock:
            self._meetings = Meetings()
            self._keep(lambda _: False)

    def _keep(self, holds: Callable[[Stack], bool]) -> None:
        self._said = [said for said in self._said if holds(said.stack)]
        self._at_work = {token: stack for token, stack in self._at_work.items() if holds(stack)}

    def _look_at(self, bench: Workbench) -> None:
        """Whether lanes count; where they are merged, what landed beside a stack has voided it."""
        merged = noted(bench.store, bench.target, MERGED) is not None
        all_meet = merged or bench.settings.project.queue is not QueuePolicy.LANES
        if all_meet and not self._all_meet:
            self._keep(lambda _: False)
        self._all_meet = all_meet

    def _wanted(self, bench: Workbench, line: Sequence[Entry], running: tuple[Stack, ...]) -> Wanted:
        self._look_at(bench)
        self._entries.update((entry.id, entry) for entry in line)
        rates = measured(bench.store, bench.target).rates
        chance = self._estimates.of(bench, line)
        view = Snapshot(
            tuple(Item(entry.id, chance[entry.id].success) for entry in line),
            _before(line, lambda a, b: self._meet(bench, a, b)),
            _before(line, lambda a, b: a.plan is not None and a.plan in b.after),
            known=self._known(),
            running=running,
            slots=bench.settings.project.checks_at_once,
            rates=rates,
        )
        return plan(view, Policy.RANKED)

    def _known(self) -> Mapping[Stack, Known]:
        found: dict[Stack, Known] = {}
        for said in self._said:
            was = found.get(said.stack, Known())
            found[said.stack] = Known(was.passed + said.passed, was.failed + (not said.passed))
        return found

    def _is_to_land(self, entry: Entry | None) -> bool:
        return entry is not None and any(s.passed and s.stack.tested == (entry.id,) for s in self._said)

    def _meet(self, bench: Workbench, a: Entry, b: Entry) -> bool:
        return self._all_meet or self._meetings.meet(bench, a, b)

    def _turn(
        self, look: Look, stack: Stack, known: Mapping[str, Entry], foresight: Foresight
    ) -> Turn | None:
        """What is to be checked for ``stack``; what cannot be foreseen is left to its entry's own turn."""
        candidate = foresight.stacked(look.bench, look.tip, [known[name] for name in stack.members])
        if candidate is None:
            self._said += [_Said(stack, passed=False, candidate=None)] * TRIES
            return None
        self._tokens += 1
        self._at_work[self._tokens] = stack
        return Turn((known[stack.tested[0]],), candidate, None, self._tokens)


def _before(line: Sequence[Entry], holds: Callable[[Entry, Entry], bool]) -> tuple[int, ...]:
    """For each entry the bit set of earlier ones of which ``holds(earlier, entry)``."""
    return tuple(
        sum(1 << place for place, earlier in enumerate(line[:number]) if holds(earlier, entry))
        for number, entry in enumerate(line)
    )


def is_sampled(entry: Entry) -> bool:
    """Whether its landing is one of those that are checked whole: by its key, so that nobody chooses."""
    return int(entry.id[:8], 16) % SAMPLE == 0
