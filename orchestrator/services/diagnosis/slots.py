"""The pool: rows of the store beside folders on the disk, and slots that nobody will give back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestrator.running.places import record_folder
from orchestrator.running.supervision import find
from orchestrator.services.clearing import adopt_folder, in_use, remove_slot
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.slots.keeper import CHECK, SlotKeeper
from orchestrator.slots.prepared import is_prepared
from orchestrator.states import SlotState
from worktrees.journal import being_made
from worktrees.removal import detached
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree


def examine_slots(ward: Ward) -> Examined:
    """Each row and each folder of the pool."""
    rows = {slot.name: slot for slot in ward.store.slots() if slot.state is not SlotState.REMOVED}
    trees = {tree.name: tree for tree in ward.pool.list()}
    issues = [issue for row in rows.values() if (issue := _row_issue(ward, row, trees.get(row.name)))]
    issues += _folder_issues(ward, set(trees) - set(rows))
    issues += _half_way(ward)
    return Examined("slots", f"{len(rows)} slots, {len(trees)} folders in {ward.pool.folder}", tuple(issues))


def _row_issue(ward: Ward, row: Slot, tree: SlotTree | None) -> Issue | None:
    if row.state is SlotState.QUARANTINED:
        detail = f"{row.detail}; move that work out, then `planctl worktree remove {row.name} --force`"
        return Issue("slot-quarantined", Gravity.WARNING, row.name, detail)
    if row.state is SlotState.BROKEN:
        return Issue("slot-broken", Gravity.ERROR, row.name, row.detail, partial(_mend, name=row.name))
    if _is_held(ward, row):
        return None
    if tree is None or is_gone(tree):
        detail = f"{row.path} is not there any more"
        cure = partial(_remove, name=row.name)
        return Issue("slot-without-folder", Gravity.ERROR, row.name, detail, cure)
    if row.state is not SlotState.FREE:
        detail = f"it is {row.state}, and what held it is gone"
        return Issue("slot-orphaned", Gravity.ERROR, row.name, detail, partial(_mend, name=row.name))
    return None


def _is_held(ward: Ward, row: Slot) -> bool:
    """Whether an attempt or a living session has it; an attempt keeps its slot beyond its own end."""
    if row.state is SlotState.FREE:
        return False
    if is_prepared(ward.repository, row.name):
        return True  # a resolver's, see merges.py
    if ward.living(row.session) is not None:
        return True
    known = row.attempt is not None and ward.store.attempt(row.attempt) is not None
    return known and row.state is SlotState.LEASED


def _folder_issues(ward: Ward, names: set[str]) -> Iterator[Issue]:
    """Folders without a row, as after the loss of a store; left alone while unknown commands live."""
    unknown = any(_is_unknown(ward, command) for command in ward.marked)
    for name in sorted(names):
        detail = "the store does not know this folder of the pool"
        cure = None if unknown else partial(_adopt, name=name)
        yield Issue("folder-without-row", Gravity.ERROR, name, detail, cure)


def _is_unknown(ward: Ward, command: str) -> bool:
    """Whether a living command is this repository's, by its records, and yet not in the store."""
    if "/" in command or find(record_folder(ward.repository.state_dir, command)) is None:
        return False
    return ward.store.attempt(command.rpartition("-")[0]) is None


def _half_way(ward: Ward) -> Iterator[Issue]:
    """Slots whose making or removal was cut short; while somebody is at work they may be under way."""
    if not ward.is_alone:
        return
    cure = ward.when_alone(_prune)
    for name in sorted(being_made(ward.repository)):
        yield Issue("slot-half-made", Gravity.ERROR, name, "its making was cut short", cure)
    for name in detached(ward.repository, ward.pool.folder):
        yield Issue("slot-half-removed", Gravity.ERROR, name, "its removal was cut short", cure)


def _prune(bench: Workbench, _session: SessionHandle) -> None:
    SlotKeeper(bench).pool.prune()


def _mend(bench: Workbench, _session: SessionHandle, name: str) -> None:
    """Rescue and tidy it; it is free after that, or says why it cannot be."""
    keeper, slot = SlotKeeper(bench), bench.store.slot(name)
    if slot is None or slot.state in (SlotState.FREE, SlotState.REMOVED) or in_use(bench, slot, {}):
        return
    if keeper.pool.find(name) is None:
        remove_slot(bench, name)
        return
    if slot.state is SlotState.RESCUING:
        slot = bench.store.move_slot(slot, SlotState.BROKEN, changed_at=bench.clock.now())
    if slot.purpose == CHECK:
        keeper.free_check_slot(slot)  # nobody works there, and the next check makes it exactly its commit
    else:
        keeper.give_back(slot)


def _remove(bench: Workbench, _session: SessionHandle, name: str) -> None:
    remove_slot(bench, name)


def _adopt(bench: Workbench, _session: SessionHandle, name: str) -> None:
    keeper = SlotKeeper(bench)
    if keeper.pool.find(name) is None:
        return
    slot = adopt_folder(bench, keeper, name)
    if slot.state is SlotState.BROKEN:  # else somebody has it, or had it, since the look
        keeper.give_back(slot)
