"""Which entries of the line are checked together next, by the planner of :mod:`orchestrator.planning`.

What was red together is kept from round to round and over landings, so that a red batch is looked at in
halves. It decides about nothing but that: a batch that is red blames nobody, an entry is refused by its own
check alone, and a new tenure begins with nothing known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.planning.cost import LARGEST, batch_size
from orchestrator.planning.knowledge import after_ejection, after_landing, noted
from orchestrator.planning.model import Item, Known, Snapshot, Stack
from orchestrator.planning.units import plan_line
from orchestrator.states import EntryState
from plans.project import Method, QueuePolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.merging.rates import Outcomes
    from orchestrator.planning.model import Rates
    from orchestrator.store.records import Entry
    from plans.project import ProjectSettings


TOGETHER: Final = frozenset({QueuePolicy.AUTO, QueuePolicy.BATCH})
WORTH: Final = 60.0
"""Seconds that the checks of what waits would take one by one, from which on one is to cover several."""


def unit_size(project: ProjectSettings, waiting: int, outcomes: Outcomes) -> int:
    """How many entries one check is to cover: more than one where checks are scarcer than entries, and slow.

    Without a check, how many one transaction is to land. ``waiting`` counts the entries that could land.
    """
    slots, rates = project.checks_at_once, outcomes.rates
    if project.queue not in TOGETHER or project.method is not Method.MERGE:
        return 1
    if not project.check:
        return 1 if project.require_check else min(waiting, LARGEST)
    if project.queue is QueuePolicy.BATCH:
        return min(waiting, batch_size(rates))
    if slots >= waiting or outcomes.seconds * waiting / slots < WORTH:
        return 1
    return min(batch_size(rates), -(-waiting // slots))


class Composition:
    """What one tenure has found out about batches."""

    def __init__(self) -> None:
        self._known: dict[Stack, Known] = {}
        self._alone: set[str] = set()

    def unit(self, line: Sequence[Entry], size: int, rates: Rates) -> tuple[Entry, ...]:
        """The first of ``line``, with those behind it that are to be checked with it: ``size`` at most.

        ``line`` is not empty, and in the order in which its entries land if all pass.
        """
        together = self._together(line)
        if size == 1 or len(together) < 2:  # noqa: PLR2004 - one is no batch
            return tuple(line[:1])
        self._known = _in_order(self._known, [entry.id for entry in line])
        together = together[: self._before_red(together)]
        view = Snapshot(
            tuple(Item(entry.id) for entry in together),
            tuple((1 << place) - 1 for place in range(len(together))),
            known=self._known,
            rates=rates,
        )
        wanted = plan_line(view, size, 1)
        return tuple(together[: len(wanted.checks[0].tested)]) if wanted.checks else tuple(line[:1])

    def is_red(self, unit: Sequence[Entry]) -> None:
        """Their check together was red, or gave no verdict."""
        stack = Stack((), tuple(entry.id for entry in unit))
        self._known = noted(self._known, stack, passed=False)

    def is_apart(self, ids: Collection[str]) -> None:
        """These are dealt with by themselves, until they have ended."""
        self._alone.update(ids)

    def has_landed(self, ids: Collection[str]) -> None:
        """What is left of a red batch is the same tree still."""
        self._known = after_landing(self._known, frozenset(ids), lambda _, __: False)

    def is_out(self, entry: str) -> None:
        """It does not land now: what held it says nothing any more."""
        self._known = after_ejection(self._known, entry)

    def forget(self) -> None:
        """The target is another: nothing is known of it."""
        self._known = {}

    def _together(self, line: Sequence[Entry]) -> list[Entry]:
        """The first of the line that one batch may hold; it ends where one has to be dealt with by itself."""
        found: list[Entry] = []
        for entry in line:
            by_merge = entry.method is None or entry.method == Method.MERGE
            if entry.state is not EntryState.QUEUED or not by_merge or entry.id in self._alone:
                break
            found.append(entry)
        return found

    def _before_red(self, together: Sequence[Entry]) -> int:
        """How many stand before the first that was red with others; all of them where the line begins so."""
        red = {name for stack in self._known for name in stack.members}
        places = [place for place, entry in enumerate(together) if entry.id in red]
        return places[0] if places and places[0] else len(together)


def _in_order(known: Mapping[Stack, Known], line: Sequence[str]) -> dict[Stack, Known]:
    """What is known of those of ``line``, each stack in its order: red, it is so in any order.

    A person may have lifted one of them.
    """
    place = {name: number for number, name in enumerate(line)}
    found: dict[Stack, Known] = {}
    for stack, was in known.items():
        if place.keys() >= set(stack.members):
            ordered = Stack((), tuple(sorted(stack.members, key=place.__getitem__)))
            found[ordered] = found.get(ordered, Known()) + was
    return found
