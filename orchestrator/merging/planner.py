"""What the queue does next: a pure function of one snapshot. This is the serial policy.

Policy changes what runs, never whether something lands: landing re-checks everything that matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.merging.order import in_order
from orchestrator.states import OPEN_ENTRIES, EntryState
from orchestrator.submitting.standstill import FROZEN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestrator.store.records import Entry
    from orchestrator.submitting.standstill import Freeze


@dataclass(frozen=True, slots=True)
class QueueView:
    """One read of the queue of one target.

    ``entries`` are those not ended; ``landed`` the plans on the target, ``failed`` what became of plans that
    others land after and that did not land; ``unlanded`` maps stacked entries to the plan whose work they
    stand on, where that very work is still to land though the plan has landed before; ``paused`` why the
    queue stands still, if it does; ``freeze`` below which priority nothing lands, if a person has said so;
    ``tried`` blocked entries that were tried in vain since the target last moved; ``later`` entries that gave
    no verdict just now, and let others pass.
    """

    entries: tuple[Entry, ...]
    landed: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    unlanded: Mapping[str, str] = field(default_factory=dict)
    paused: str | None = None
    freeze: Freeze | None = None
    tried: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Process:
    """Merge, check and land this entry now."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Stay:
    """Leave this entry where it is; ``code`` and ``detail`` are its stored reason."""

    entry: Entry
    code: str
    detail: str


Step = Process | Stay


def plan_serial(view: QueueView) -> tuple[Step, ...]:
    """Return at most one :class:`Process`, first, and why every other entry stays."""
    ordered = in_order(e for e in view.entries if e.state in OPEN_ENTRIES)
    hindered = [(entry, _hindrance(view, entry)) for entry in ordered]
    free = [entry for entry, why in hindered if why is None]
    free.sort(key=lambda entry: entry.id in view.later)
    stays: list[Step] = []
    for entry, why in hindered:
        if why is not None:
            stays.append(Stay(entry, *why))
        elif entry is not free[0]:
            stays.append(Stay(entry, "behind", "others are before it"))
    return (Process(free[0]), *stays) if free else tuple(stays)


def beside_others(stay: Stay) -> Stay:
    """The same where nobody is at their turn: entries are checked beside each other."""
    if stay.code != "behind":
        return stay
    why = "checked as free places and what it meets before it allow; lands as soon as that is green"
    return Stay(stay.entry, "lanes", why)


def can_any_go(view: QueueView) -> bool:
    """Whether one of those that are queued can be processed, be it not its turn yet."""
    queued = (entry for entry in view.entries if entry.state is EntryState.QUEUED)
    return any(_hindrance(view, entry) is None for entry in queued)


def line(view: QueueView, unit: Collection[Entry], most: int) -> tuple[Entry, ...]:
    """Who comes after ``unit``, in order, if whoever comes before lands; ``most`` of them at most.

    What waits for a person, was tried in vain or gave no verdict just now is not among them.
    """
    found: list[Entry] = []
    landed, at_turn = set(view.landed), {entry.id for entry in unit}
    landed.update(entry.plan or "" for entry in unit)
    for entry in in_order(e for e in view.entries if e.state is EntryState.QUEUED and e.id not in at_turn):
        if entry.id in view.later or _hindrance(replace(view, landed=frozenset(landed)), entry):
            continue
        found.append(entry)
        landed.add(entry.plan or "")
        if len(found) == most:
            break
    return tuple(found)


def _hindrance(view: QueueView, entry: Entry) -> tuple[str, str] | None:
    if entry.state is EntryState.HELD:
        return "held", str(entry.reason.get("detail", "waits for a person"))
    if view.paused:
        return "paused", view.paused
    if view.freeze and view.freeze.holds(entry.priority):
        return FROZEN, view.freeze.of(entry.priority)
    if entry.state is EntryState.BLOCKED and entry.id in view.tried:
        code = str(entry.reason.get("code", "blocked"))
        return code, str(entry.reason.get("detail", "tried, and the target has not moved since"))
    return _waits_in_line(view, entry)


def _waits_in_line(view: QueueView, entry: Entry) -> tuple[str, str] | None:
    plan = next(awaited(view, entry), None)
    if plan is None:
        return None
    if plan in view.failed:
        return "dependency-rejected", f"lands after {plan}, which was {view.failed[plan]}"
    return "order", f"lands after {plan}"


def awaited(view: QueueView, entry: Entry) -> Iterator[str]:
    """The plans that keep ``entry`` from landing, in the order that it names them."""
    for plan in entry.after:
        if plan in view.failed or plan not in view.landed or view.unlanded.get(entry.id) == plan:
            yield plan
