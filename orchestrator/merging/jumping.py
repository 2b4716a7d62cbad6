"""Lift an entry to the head of the queue: the write, what is told of it, and what is remembered.

Who is being merged or checked is the worker's, and is not written to. Should that come to nothing, as with
one of a batch that is red, the entry is back in line at its old place: so the last one that a person wanted
first is remembered, in a named value of the target, and lifted by the worker once it waits again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import EventName
from orchestrator.merging.lifting import JUMPED, LIFTED, lift
from orchestrator.merging.pausing import FIRST
from orchestrator.merging.viewing import queue_view
from orchestrator.states import EntryState
from orchestrator.submitting.standstill import FROZEN, note, noted

if TYPE_CHECKING:
    from orchestrator.merging.lifting import Lift, Lifted
    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

AT_TURN: Final = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})
_SAYS_LESS: Final = frozenset({None, "behind", FROZEN, "batch", "no-verdict", "missing-object"})
"""Of an entry that waits for its turn, or lets others pass since it had it: that is over."""


def put_first(bench: Workbench, entry: Entry, tip: str) -> Lift:
    """Lift ``entry``, which waits, and what it lands after; in a transaction of the caller's."""
    found = lift(queue_view(bench, tip), entry)
    note(bench.store, bench.target, FIRST, None)
    for one in found.changes:
        _write(bench, one, entry)
    return found


def remember(bench: Workbench, entry: Entry) -> bool:
    """``entry`` is at its turn, and is to be first once it waits again; whether that is new."""
    is_new = noted(bench.store, bench.target, FIRST) != entry.id
    if is_new:
        note(bench.store, bench.target, FIRST, entry.id)
        _tell(bench, entry, at_turn=True)
    return is_new


def lift_remembered(tenure: Tenure, tip: str) -> None:
    """Lift whom a person wanted first while it was at its turn, if it waits now; forget who has ended."""
    store, target = tenure.bench.store, tenure.bench.target
    if noted(store, target, FIRST) is None:
        return
    with tenure.writing():
        entry = store.entry(noted(store, target, FIRST) or "")
        if entry is None or entry.target != target or entry.state not in LIFTED | AT_TURN:
            note(store, target, FIRST, None)
        elif entry.state in LIFTED:
            put_first(tenure.bench, entry, tip)


def _write(bench: Workbench, one: Lifted, entry: Entry) -> None:
    changes: dict[str, Any] = {"priority": one.priority}
    lifted_for = {} if one.entry.id == entry.id else {"for": entry.plan or entry.branch}
    if one.entry.state is EntryState.QUEUED and one.entry.reason.get("code") in _SAYS_LESS:
        why = f", with {lifted_for['for']}, which lands after it" if lifted_for else ""
        why = f"a person has put it before all others{why}"
        changes["reason"] = {**one.entry.reason, "code": JUMPED, "detail": why}
    moved = bench.store.update_entry(one.entry, **changes)
    _tell(bench, moved, was=one.was, place=one.place, **lifted_for)


def _tell(bench: Workbench, entry: Entry, **data: Any) -> None:
    bench.store.emit(
        EventName.QUEUE_JUMPED,
        at=bench.clock.now(),
        run=entry.run,
        plan=entry.plan,
        entry=entry.id,
        branch=entry.branch,
        session=bench.session,
        **data,
    )
