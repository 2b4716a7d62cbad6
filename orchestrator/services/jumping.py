"""A person lifts an entry to the head of the queue: the write, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import UsageError
from orchestrator.events import EventName
from orchestrator.merging.lifting import JUMPED, LIFTED, lift
from orchestrator.merging.viewing import queue_view
from orchestrator.services.entries import require_entry
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from orchestrator.merging.lifting import Lifted
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

_AT_TURN: Final = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})
_SAYS_LESS: Final = frozenset({None, "behind", "no-verdict", "missing-object"})
"""Of an entry that waits for its turn, or lets others pass since it had it: that is over."""


@dataclass(frozen=True, slots=True)
class Jumped:
    """``line`` is first in the queue, in this order, the entry that was named the last of it.

    ``awaits``: plans that still keep it from landing; ``is_new``: whether anything was changed.
    """

    line: tuple[Entry, ...]
    awaits: tuple[str, ...] = ()
    is_new: bool = False


def jump(bench: Workbench, name: str) -> Jumped:
    """Lift an entry to the head of the queue, and before it what it lands after; what is at work goes on.

    Nothing changes where it is there already, or at its turn. Raises NothingToDoError when there is none of
    that name, UsageError for one that does not wait for its turn, with what it waits for.
    """
    with bench.store.transaction():
        entry = require_entry(bench, name)
        if entry.state in _AT_TURN:
            return Jumped((entry,))
        if entry.state not in LIFTED:
            detail = entry.reason.get("detail")
            raise UsageError(f"{name} is {entry.state}{f': {detail}' if detail else ''}")
        found = lift(queue_view(bench, bench.target_tip()), entry)
        line = tuple(_lifted(bench, one, entry) for one in found.changes) or found.line
        return Jumped(line, found.awaits, is_new=bool(found.changes))


def _lifted(bench: Workbench, one: Lifted, entry: Entry) -> Entry:
    changes: dict[str, Any] = {"priority": one.priority}
    lifted_for = {} if one.entry.id == entry.id else {"for": entry.plan or entry.branch}
    if one.entry.state is EntryState.QUEUED and one.entry.reason.get("code") in _SAYS_LESS:
        why = f", with {lifted_for['for']}, which lands after it" if lifted_for else ""
        why = f"a person has put it before all others{why}"
        changes["reason"] = {**one.entry.reason, "code": JUMPED, "detail": why}
    moved = bench.store.update_entry(one.entry, **changes)
    bench.store.emit(
        EventName.QUEUE_JUMPED,
        at=bench.clock.now(),
        run=moved.run,
        plan=moved.plan,
        entry=moved.id,
        branch=moved.branch,
        was=one.was,
        place=one.place,
        session=bench.session,
        **lifted_for,
    )
    return moved
