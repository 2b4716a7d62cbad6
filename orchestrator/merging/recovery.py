"""What a worker does first, under its new epoch: finish or undo what a dead one left.

0. a remote whose target counts is looked at, and pushes that were begun are refused from now on
1. checkouts that were being brought along: finished where the landing was made, else unlocked
2. each open intent: landed → its checkouts follow even where a mark was taken away, and its entries are
   landed; else what there is of it is taken back, its entries queued
3. entries left half-way go back to the queue
4. candidates and heads of entries that have ended are let go, heads of the others kept
5. check slots of dead sessions: what still runs there is ended, and the slot is free

Everything is told from what is there now. Idempotent: a second run changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.merging.checkouts import recover_checkouts, recover_unmarked
from orchestrator.merging.landing import finish
from orchestrator.merging.remoteepoch import fence
from orchestrator.merging.resolving import forget_candidates, has_landed, undo
from orchestrator.running.supervision import find
from orchestrator.running.waiting import end
from orchestrator.sessions.identity import is_alive
from orchestrator.slots.keeper import CHECK
from orchestrator.states import EntryState, IntentState, SessionState, SlotState
from orchestrator.submitting.heads import KEPT, keep_head

if TYPE_CHECKING:
    from orchestrator.merging.tenure import Tenure
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Intent, Slot

_HALF_WAY: Final = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})


def recover(tenure: Tenure, keeper: SlotKeeper) -> None:
    """Bring references, checkouts, store and check slots back in line; see the module's text."""
    bench = tenure.bench
    fence(tenure)
    recover_checkouts(tenure)
    for intent in bench.store.intents({IntentState.OPEN}):
        if intent.target == bench.target:
            _resolve(tenure, intent)
    for entry in bench.store.entries(target=bench.target, states=_HALF_WAY):
        tenure.settle(entry, EntryState.QUEUED, reason={**entry.reason, "code": "recovered"})
    forget_candidates(tenure)
    for entry in bench.store.entries(target=bench.target, states=KEPT):
        keep_head(bench, entry.id, entry.head)
    for slot in bench.store.slots(purpose=CHECK, states={SlotState.LEASED, SlotState.RESCUING}):
        if not _is_in_use(bench.store, slot):
            _free(tenure, keeper, slot)


def _resolve(tenure: Tenure, intent: Intent) -> None:
    known = [tenure.bench.store.entry(key) for key in intent.members]
    entries = tuple(entry for entry in known if entry is not None)
    assert len(entries) == len(known), "an intent is stored only for entries that exist"
    if has_landed(tenure.bench, entries, intent):
        recover_unmarked(tenure, intent)
        finish(tenure, entries, intent, proof={"recovered": True})
    else:
        undo(tenure, entries, intent)


def _is_in_use(store: Store, slot: Slot) -> bool:
    session = store.session(slot.session) if slot.session else None
    if session is None or session.state is SessionState.ENDED:
        return False
    return is_alive(session.pid, session.process_started, session.boot, session.host)


def _free(tenure: Tenure, keeper: SlotKeeper, slot: Slot) -> None:
    """End what is left of the dead session's check before anybody else gets its slot."""
    for name in (slot.attempt, f"{slot.attempt}-setup") if slot.attempt else ():
        handle = find(tenure.bench.folder("records") / name)
        if handle is not None:
            end(handle)
    with tenure.writing():
        if slot.state is SlotState.LEASED:
            keeper.free_check_slot(slot)
        else:
            tenure.bench.store.move_slot(slot, SlotState.FREE, changed_at=tenure.bench.clock.now())
