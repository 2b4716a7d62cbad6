"""Lift an entry to the head of the queue: the write, what is told of it, and what is remembered.

Who is being merged or checked is the worker's, and is not written to. Should that come to nothing, as with
one of a batch that is red, the entry is back in line at its old place: so the last one that a person wanted
first is remembered, in a named value of the target, and lifted by the worker once it waits again: above the
freeze that there was when the person spoke, for one that was said later holds it as it holds any other.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import EventName
from orchestrator.merging.lifting import JUMPED, LIFTED, lift
from orchestrator.merging.pausing import FIRST
from orchestrator.merging.viewing import queue_view
from orchestrator.states import EntryState
from orchestrator.submitting.standstill import FROZEN, Freeze, freeze_of, note, noted

if TYPE_CHECKING:
    from orchestrator.merging.lifting import Lift, Lifted
    from orchestrator.merging.planner import QueueView
    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

AT_TURN: Final = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})
_SAYS_LESS: Final = frozenset({None, "behind", "batch", "no-verdict", "missing-object", FROZEN})
"""Of an entry that waits for its turn, lets others pass since it had it, or was frozen: that is over."""


def put_first(bench: Workbench, entry: Entry, view: QueueView) -> Lift:
    """Lift ``entry``, which waits, and what it lands after; in the transaction that ``view`` was read in."""
    found = lift(view, entry)
    note(bench.store, bench.target, FIRST, None)
    for one in found.changes:
        _write(bench, one, entry)
    return found


def remember(bench: Workbench, entry: Entry) -> bool:
    """``entry`` is at its turn, and is to be first once it waits again; whether that is new."""
    freeze = freeze_of(bench.store, bench.target)
    said = json.dumps({"entry": entry.id, "freeze": freeze and freeze.as_json()})
    is_new = noted(bench.store, bench.target, FIRST) != said
    if is_new:
        note(bench.store, bench.target, FIRST, said)
        _tell(bench, entry, at_turn=True)
    return is_new


def lift_remembered(tenure: Tenure, tip: str) -> None:
    """Lift whom a person wanted first while it was at its turn, if it waits now; forget who has ended."""
    bench = tenure.bench
    if noted(bench.store, bench.target, FIRST) is None:
        return
    with tenure.writing():
        said = json.loads(noted(bench.store, bench.target, FIRST) or "{}")
        entry = bench.store.entry(said.get("entry", ""))
        if entry is None or entry.target != bench.target or entry.state not in LIFTED | AT_TURN:
            note(bench.store, bench.target, FIRST, None)
        elif entry.state in LIFTED:
            then = Freeze(**said["freeze"]) if said["freeze"] else None
            put_first(bench, entry, replace(queue_view(bench, tip), freeze=then))


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
