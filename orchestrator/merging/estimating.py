"""How likely each entry is to land, as told to the planner; remembered beside what came of it.

What can be told of an entry is looked up when it is seen first, before its checks: its size and paths from
git, what its branch came to before from :class:`Experience`, and what the check has said of its very head. So
an estimate is never made of the outcome that it is held against. The experience of all targets is one named
value of the store, written with the outcomes of :mod:`.rates`. A store that is rebuilt begins anew.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.merging.checks import target_check
from orchestrator.merging.making import GITS_FAULT, work_of
from orchestrator.merging.rates import is_landed, is_refused, measured, note_outcomes
from orchestrator.planning.estimate import MOST_PATHS, Estimate, Experience, Traits
from orchestrator.planning.remembered import VALUE, read, written
from worktrees.changes import own_changes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestrator.merging.tenure import Tenure
    from orchestrator.merging.verdicts import Tally
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned at one target, and ``text``, the named value with it where that was ``before``."""

    target: str
    known: Experience
    before: str | None
    text: str

    def put_into(self, stored: str | None) -> str:
        """The named value that is to follow ``stored``: a worker of another target may have written it."""
        return self.text if stored == self.before else written({**read(stored), self.target: self.known})


class Estimates:
    """The estimates of one tenure; for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traits: dict[str, Traits | None] = {}
        self._read: tuple[str | None, Mapping[str, Experience]] = (None, {})

    def experience(self, bench: Workbench) -> Experience:
        """What became of entries at the target."""
        with self._lock:
            return self._experience(bench)

    def of(self, bench: Workbench, entries: Iterable[Entry]) -> dict[str, Estimate]:
        """By id. Who is seen for the first time is looked at now."""
        with self._lock:
            known = self._experience(bench)
            usual = 1 - measured(bench.store, bench.target).rates.failure
            found = {}
            for entry in entries:
                traits = self._seen(bench, entry)
                found[entry.id] = (
                    known.estimate(traits, usual) if traits else Estimate(usual, usual, trusted=True)
                )
            return found

    def learned(self, bench: Workbench, ended: Iterable[Entry]) -> Learned | None:
        """What became of entries; None where nothing was learned by it.

        Asked before :mod:`.rates` has counted it, and outside a transaction: others may wait for this.
        """
        decided = [entry for entry in ended if is_landed(entry) or is_refused(entry)]
        with self._lock:
            known = self._experience(bench)
            usual, learned = 1 - measured(bench.store, bench.target).rates.failure, known
            for entry in decided:
                traits = self._seen(bench, entry)
                if traits:
                    at = entry.finished_at or ""
                    learned = learned.after(traits, usual, landed=is_landed(entry), at=at)
                del self._traits[entry.id]  # handed in again, it is another case
            if learned is known:
                return None
            before, every = self._read
            return Learned(bench.target, learned, before, written({**every, bench.target: learned}))

    def _experience(self, bench: Workbench) -> Experience:
        text = bench.store.value(VALUE)
        if text != self._read[0]:
            self._read = text, read(text)
        return self._read[1].get(bench.target) or Experience()

    def _seen(self, bench: Workbench, entry: Entry) -> Traits | None:
        """None where git cannot say what it changes."""
        if entry.id not in self._traits:
            try:
                self._traits[entry.id] = _traits(bench, entry)
            except GITS_FAULT:
                self._traits[entry.id] = None
        return self._traits[entry.id]


def remember(tenure: Tenure, estimates: Estimates, ended: Collection[Entry], tally: Tally) -> None:
    """Store what has become of entries and of their checks; raises what :meth:`Tenure.writing` raises."""
    bench = tenure.bench
    learned = estimates.learned(bench, ended)
    with tenure.writing(durable=False):
        if learned:
            bench.store.set_value(VALUE, learned.put_into(bench.store.value(VALUE)))
        note_outcomes(bench.store, bench.target, ended, tally)


def _traits(bench: Workbench, entry: Entry) -> Traits:
    paths = own_changes(bench.objects, work_of(entry))
    few = paths if len(paths) <= MOST_PATHS else ()
    return Traits(entry.id, entry.plan or entry.branch, len(paths), few, _own_check(bench, entry))


def _own_check(bench: Workbench, entry: Entry) -> bool | None:
    """What the target's check said last of the head as it is, in whichever environment."""
    check = target_check(bench.settings.project)
    if check is None:
        return None
    said = bench.store.verdicts(bench.objects.tree_of(entry.head), check.key, None)
    return next((verdict.passed for verdict in said if verdict.passed is not None), None)
