"""Lifting an entry to the head of the queue: who goes with it, and by which priorities. Pure.

The open entries that it lands after go with it and before it, since a head that waits for its tail is none.
Each of them gets the priority that puts it before all that is open now, however old, before what comes later
with a priority that has a name (``critical`` is the highest of those), and above a freeze (decision 0062).
All others keep theirs, and with that their order. So an entry is passed by as many as aging allows, and by
those that people lift while it waits, once for each lift (invariant S10).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Final

from orchestrator.merging.order import in_order, rank
from orchestrator.merging.planner import awaited
from orchestrator.states import OPEN_ENTRIES, EntryState
from plans.model import PRIORITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.planner import QueueView
    from orchestrator.store.records import Entry

JUMPED: Final = "jumped"
"""The stored reason of an entry that a person has lifted, until the worker says where it stands."""
LIFTED: Final = frozenset({EntryState.QUEUED, EntryState.BLOCKED})
"""May be lifted; what is at its turn is there already, and what is held waits for a person."""
_LEAST: Final = float(PRIORITIES["critical"])


@dataclass(frozen=True, slots=True)
class Lifted:
    """An entry, the priority that it is to have, and its places in the queue before and after."""

    entry: Entry
    priority: float
    was: int
    place: int


@dataclass(frozen=True, slots=True)
class Lift:
    """What is to be first: ``line`` in order, the entry itself the last. ``changes`` is empty where it is.

    ``awaits`` are the plans that still keep some of the line from landing, with nothing to be lifted.
    """

    line: tuple[Entry, ...]
    changes: tuple[Lifted, ...]
    awaits: tuple[str, ...]


def lift(view: QueueView, entry: Entry) -> Lift:
    """How ``entry``, which is one of :data:`LIFTED`, comes to the head of the queue."""
    ordered = in_order(e for e in view.entries if e.state in OPEN_ENTRIES)
    line = _line(view, ordered, entry)
    there = {one.plan for one in line}
    missing = dict.fromkeys(plan for one in line for plan in awaited(view, one) if plan not in there)
    return Lift(tuple(line), tuple(_changes(view, ordered, line)), tuple(missing))


def _line(view: QueueView, ordered: Sequence[Entry], entry: Entry) -> list[Entry]:
    """``entry`` behind those that it waits for, each behind those that it waits for itself.

    What is said to wait in a circle is in the order of the queue.
    """
    waits = {entry.id: set(awaited(view, entry))}
    look = [entry]
    while look:
        plans = waits[look.pop().id]
        for one in ordered:
            if one.plan in plans and one.state in LIFTED and one.id not in waits:
                waits[one.id] = set(awaited(view, one))
                look.append(one)
    left = [one for one in ordered if one.id in waits and one.id != entry.id]
    line: list[Entry] = []
    while left:
        plans_left = {one.plan for one in left}
        following = next((one for one in left if not waits[one.id] & plans_left), left[0])
        left.remove(following)
        line.append(following)
    return [*line, entry]


def _changes(view: QueueView, ordered: Sequence[Entry], line: Sequence[Entry]) -> list[Lifted]:
    """The ranks that put ``line`` first; so high that what was given is above a freeze, whatever age adds."""
    newest = max(one.age for one in ordered)
    ids = [one.id for one in ordered]
    is_first = ids[: len(line)] == [one.id for one in line] and rank(line[-1], newest) >= _LEAST
    if is_first and not (view.freeze and any(view.freeze.holds(one.priority) for one in line)):
        return []
    below = view.freeze.below if view.freeze else _LEAST
    above = floor(max(_LEAST, below, *(rank(one, newest) for one in ordered)))
    above += max(newest - one.age for one in line)
    return [
        Lifted(one, above + len(line) - before - (newest - one.age), ids.index(one.id) + 1, before + 1)
        for before, one in enumerate(line)
    ]
