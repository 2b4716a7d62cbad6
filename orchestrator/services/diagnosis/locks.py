"""Lock files: those that killed git children of planctl left, and those that are somebody else's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.merging.tenure import about_to_land
from orchestrator.services.clearing import in_use
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.slots.keeper import is_over
from orchestrator.states import SlotState
from worktrees.locks import foreign_locks, left_locks, remove_left_locks
from worktrees.slotlocks import remove_slot_locks

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench


def examine_locks(ward: Ward) -> Examined:
    """Removed is only what is provably planctl's own; everything else is named, for a person to look at."""
    left = left_locks(ward.git, about_to_land(ward.store))
    foreign = [name for name in foreign_locks(ward.git) if name not in left]
    issues = [
        Issue("lock-left", Gravity.ERROR, name, "a killed git child of planctl left it", _remove)
        for name in left
    ]
    issues += [_foreign(ward, name) for name in foreign]
    return Examined("locks", f"{len(left) + len(foreign)} lock files", tuple(issues))


def _foreign(ward: Ward, name: str) -> Issue:
    slot = _idle_slot(ward, name)
    if slot is not None:
        cure = partial(_remove_in_slot, name=slot)
        return Issue("slot-lock-left", Gravity.ERROR, name, f"nobody is at work in {slot} any more", cure)
    if name == f"{ward.target}.lock":
        detail = "nothing can land while it is there; remove it if no git command is at work"
        return Issue("target-locked", Gravity.ERROR, name, detail)
    return Issue(
        "lock-foreign", Gravity.WARNING, name, "not planctl's: a git command is at work, or was killed"
    )


def _idle_slot(ward: Ward, name: str) -> str | None:
    """The slot whose lock it is, if the slot is free or its attempt is over and nothing of it lives."""
    parts = Path(name).parts
    if parts[0] != "worktrees":
        return None
    tree = next((tree for tree in ward.pool.list() if tree.git_dir.name == parts[1]), None)
    row = ward.store.slot(tree.name) if tree else None
    if row is None:
        return None
    holder = ward.store.attempt(row.attempt) if row.attempt else None
    over = row.state is SlotState.FREE or (holder is not None and is_over(holder))
    pids = [p for command, p in ward.marked.items() if row.attempt and command.startswith(row.attempt)]
    return row.name if over and not pids else None


def _remove(bench: Workbench, _session: SessionHandle) -> None:
    remove_left_locks(bench.git, about_to_land(bench.store))


def _remove_in_slot(bench: Workbench, _session: SessionHandle, name: str) -> None:
    slot = bench.store.slot(name)
    if slot is not None and in_use(bench, slot, {}) is None:
        remove_slot_locks(bench.git, Path(slot.path))
