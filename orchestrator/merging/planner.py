"""What the queue does next: a pure function of one snapshot. This is the serial policy.

Policy changes what runs, never whether something lands: landing re-checks everything that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.merging.order import in_order
from orchestrator.states import OPEN_ENTRIES, EntryState

if TYPE_CHECKING:
    from orchestrator.store.records import Entry


@dataclass(frozen=True, slots=True)
class QueueView:
    """One read of the queue of one target.

    ``entries`` are those not ended; ``landed`` the plans on the target; ``paused`` why the queue stands
    still, if it does; ``tried`` entries that this drain has looked at in vain since the target last moved.
    """

    entries: tuple[Entry, ...]
    landed: frozenset[str] = frozenset()
    paused: str | None = None
    tried: frozenset[str] = frozenset()


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
    chosen: Entry | None = None
    stays: list[Stay] = []
    for entry in in_order(e for e in view.entries if e.state in OPEN_ENTRIES):
        why = _hindrance(view, entry)
        if why is None and chosen is None:
            chosen = entry
        elif why is None and chosen is not None:
            stays.append(Stay(entry, "behind", f"{chosen.plan or chosen.branch} is before it"))
        elif why is not None:
            stays.append(Stay(entry, *why))
    return (Process(chosen), *stays) if chosen else tuple(stays)


def _hindrance(view: QueueView, entry: Entry) -> tuple[str, str] | None:
    if view.paused:
        return "paused", view.paused
    if entry.state is EntryState.HELD:
        return "held", str(entry.reason.get("detail", "waits for a person"))
    if entry.id in view.tried:
        code = str(entry.reason.get("code", "blocked"))
        return code, str(entry.reason.get("detail", "tried, and the target has not moved since"))
    for plan in entry.after:
        if plan not in view.landed:
            return "order", f"lands after {plan}"
    return None
