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
from orchestrator.merging.pausing import MERGED, noted
from orchestrator.merging.rates import measured
from orchestrator.planning.decided import TRIES
from orchestrator.planning.knowledge import moved
from orchestrator.planning.model import Item, Known, Snapshot, Stack
from orchestrator.planning.policy import Policy, plan
from plans.project import QueuePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.merging.foresight import Foresight
    from orchestrator.planning.model import Wanted
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

BY_STACKS: Final = frozenset({QueuePolicy.LANES, QueuePolicy.RANKED})
SAMPLE: Final = 8
"""One of so many landings by another tree's verdict is checked whole afterwards."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the check of a stack said, and of which tree."""

    stack: Stack
    passed: bool
    tree: str


class Lanes:
    """What one tenure knows of stacks; shared by the worker and the thread that looks ahead."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._meetings = Meetings()
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

    def carried(self, entry: Entry) -> str | None:
        """The tree by whose verdict ``entry`` may land, whatever has landed beside it since."""
        alone = Stack((), (entry.id,))
        with self._lock:
            return next((s.tree for s in self._said if s.stack == alone and s.passed), None)

    @property
    def are_at_work(self) -> bool:
        """Whether there are checks under way that are still worth something."""
        with self._lock:
            return bool(self._at_work)

    def turns(
        self, bench: Workbench, tip: str, line: Sequence[Entry], foresight: Foresight, running: Sequence[Turn]
    ) -> tuple[Turn, ...]:
        """The checks that are wanted, most needed first; those of ``running`` that still are among them."""
        with self._lock:
            at_work = {self._at_work[t.token]: t for t in running if t.token in self._at_work}
            wanted = self._wanted(bench, line, tuple(at_work))
            if wanted.land or wanted.eject:
                return tuple(at_work.values())  # the worker is about to deal with that; then more is told
            known = {entry.id: entry for entry in line}
            turns = [
                at_work.get(stack) or self._turn(bench, tip, stack, known, foresight)
                for stack in wanted.checks
            ]
            foresight.keep_used()
            return tuple(turn for turn in turns if turn is not None)

    def ended(self, turn: Turn, passed: bool | None) -> None:  # noqa: FBT001 - what a check said
        """A check has ended. Without a verdict it is its entry's own turn that counts how often that was."""
        with self._lock:
            stack = self._at_work.pop(turn.token, None)
            if stack is not None:
                times = TRIES if passed is None else 1
                self._said += [_Said(stack, bool(passed), turn.candidate.tree)] * times

    def has_landed(self, bench: Workbench, ids: frozenset[str]) -> None:
        """The target has taken these in: what was said of stacks moves on, or is void."""

        def meet(a: str, b: str) -> bool:
            return self._meet(bench, self._entries[a], self._entries[b])

        with self._lock:
            moving = [(said, moved(said.stack, ids, meet)) for said in self._said]
            self._said = [replace(said, stack=stack) for said, stack in moving if stack]
            left = {token: moved(stack, ids, meet) for token, stack in self._at_work.items()}
            self._at_work = {token: stack for token, stack in left.items() if stack}

    def is_out(self, entry: str) -> None:
        """It does not land now: what holds it will not be."""
        with self._lock:
            self._said = [said for said in self._said if entry not in said.stack.members]
            self._at_work = {t: stack for t, stack in self._at_work.items() if entry not in stack.members}

    def outside(self, bench: Workbench, old: str, new: str) -> None:
        """Somebody else moved the target: what was said holds where that meets nothing of the stack (L5)."""
        objects = bench.objects
        forward = bool(old) and objects.has_commit(old) and objects.is_ancestor(old, new)

        def holds(stack: Stack) -> bool:
            return forward and not any(
                self._voided(bench, old, new, self._entries[name]) for name in stack.members
            )

        with self._lock:
            self._said = [said for said in self._said if holds(said.stack)]
            self._at_work = {token: stack for token, stack in self._at_work.items() if holds(stack)}

    def _wanted(self, bench: Workbench, line: Sequence[Entry], running: tuple[Stack, ...]) -> Wanted:
        self._entries.update((entry.id, entry) for entry in line)
        rates = measured(bench.store, bench.target).rates
        view = Snapshot(
            tuple(Item(entry.id, 1 - rates.failure) for entry in line),
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

    def _meet(self, bench: Workbench, a: Entry, b: Entry) -> bool:
        return self._all_meet(bench) or self._meetings.meet(bench, a, b)

    def _voided(self, bench: Workbench, old: str, new: str, entry: Entry) -> bool:
        return self._all_meet(bench) or self._meetings.voided(bench, old, new, entry)

    def _all_meet(self, bench: Workbench) -> bool:
        merged = noted(bench.store, bench.target, MERGED)
        return merged is not None or bench.settings.project.queue is not QueuePolicy.LANES

    def _turn(
        self, bench: Workbench, tip: str, stack: Stack, known: Mapping[str, Entry], foresight: Foresight
    ) -> Turn | None:
        """What is to be checked for ``stack``; what cannot be foreseen is left to its entry's own turn."""
        candidate = foresight.stacked(bench, tip, [known[name] for name in stack.members])
        if candidate is None:
            self._said += [_Said(stack, passed=False, tree="")] * TRIES
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
