"""A slot is taken off the disk once everything in it is kept elsewhere.

1. the slot is this session's (``rescuing``): nobody else takes it meanwhile
2. rescue: what is uncommitted, under ``refs/planctl/rescue/``
3. park: commits of its branch, its HEAD and its own references that are neither landed nor parked
4. removal, which looks once more for commits that only the slot holds
5. ``removed``; an attempt that was only prepared is cancelled

Where 2 to 4 fail the slot is ``quarantined`` or ``broken``, and nothing of it was deleted. Whether anything
is at work in it is the caller's to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import SlotInUseError, StaleRecordError
from orchestrator.events import EventName
from orchestrator.slots.keeper import CHECK
from orchestrator.slots.prepared import is_prepared
from orchestrator.slots.saving import left_as
from orchestrator.states import AttemptState, SlotState
from plans.ids import PlanId
from worktrees.archive import is_parked_or_landed, park
from worktrees.branches import branch_commit
from worktrees.errors import (
    GitFailedError,
    ProvisioningError,
    RescueIncompleteError,
    SlotUnavailableError,
)
from worktrees.links import unlink_plan
from worktrees.parked import private_commits, require_nothing_staged
from worktrees.restorejournal import not_restoring
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree


@dataclass(frozen=True, slots=True)
class Cleared:
    """A slot that is no more: where its uncommitted work (None: there was none) and its commits are kept."""

    slot: str
    plan: str | None
    rescue: str | None
    parked: tuple[str, ...]


def is_locked(tree: SlotTree) -> bool:
    """Whether a person locked the worktree against removal."""
    return (tree.git_dir / "locked").exists()


def take_off_disk(bench: Workbench, keeper: SlotKeeper, slot: Slot, *, inside: bool = False) -> Cleared:
    """Remove ``slot``, in which nothing is at work; see the module's text.

    ``inside``: repositories in it may go too, once they are kept whole with the rest: a person said so.
    Raises SlotInUseError (another process has just taken it), SlotUnavailableError (locked by a person),
    RescueIncompleteError, ProvisioningError, GitFailedError, OSError.
    """
    tree = keeper.tree_of(slot)
    if tree is not None and is_locked(tree):
        raise SlotUnavailableError(f"{tree.path} is locked against removal")
    with not_restoring(bench.repository):
        return _take_off(bench, keeper, _claim(bench, slot), tree, inside=inside)


def _take_off(
    bench: Workbench, keeper: SlotKeeper, slot: Slot, tree: SlotTree | None, *, inside: bool
) -> Cleared:
    try:
        if tree is not None and is_gone(tree) and keeper.pool.finish_removal(tree.path):
            tree = None
        rescued, parked = _save(bench, keeper, slot, tree, inside=inside)
        if tree is not None:
            _remove(keeper, tree, inside=inside)
    except RescueIncompleteError as error:
        _leave(bench, slot, left_as(error), error)
        raise
    except (GitFailedError, ProvisioningError, SlotUnavailableError, OSError) as error:
        _leave(bench, slot, SlotState.BROKEN, error)
        raise
    if slot.plan:
        unlink_plan(Path(slot.path).parent, PlanId(slot.plan))
    _forget(bench, slot)
    return Cleared(slot.name, slot.plan, rescued, parked)


def _save(
    bench: Workbench, keeper: SlotKeeper, slot: Slot, tree: SlotTree | None, *, inside: bool
) -> tuple[str | None, tuple[str, ...]]:
    """Steps 2 and 3. Nobody works in a check's slot: what a check left there is swept."""
    if tree is None:
        return None, ()
    if slot.purpose != CHECK:
        return _rescue(keeper, slot, inside=inside), _park(bench, slot, tree)
    if not is_gone(tree):
        keeper.pool.recycle_for_check(tree, bench.target_tip())
    return None, ()


def _claim(bench: Workbench, slot: Slot) -> Slot:
    store, now = bench.store, bench.clock.now()
    if is_prepared(bench.repository, slot.name):
        raise SlotInUseError(slot.name, "a merge stands prepared in it for a resolver")
    try:
        with store.transaction():
            if slot.state is SlotState.FREE:
                slot = store.move_slot(slot, SlotState.LEASED, session=bench.session, changed_at=now)
            if slot.state is SlotState.RESCUING:  # of a session that is dead
                slot = store.move_slot(slot, SlotState.BROKEN, changed_at=now)
            return store.move_slot(slot, SlotState.RESCUING, session=bench.session, changed_at=now)
    except StaleRecordError as error:
        raise SlotInUseError(slot.name, "another process has just taken it") from error


def _park(bench: Workbench, slot: Slot, tree: SlotTree) -> tuple[str, ...]:
    """Pin what has neither landed nor been parked: of its branch, and what only the slot holds."""
    held = [c for c in private_commits(tree).values() if bench.objects.has_commit(c)]
    attempt = bench.store.attempt(slot.attempt) if slot.attempt else None
    tip = branch_commit(bench.references, attempt.branch) if attempt else None
    commits = dict.fromkeys([*([tip] if tip else []), *held])
    loose = [c for c in commits if not is_parked_or_landed(bench.git, c, [bench.target])]
    return park(bench.git, slot.plan or slot.name, loose)


def _rescue(keeper: SlotKeeper, slot: Slot, *, inside: bool) -> str | None:
    try:
        return keeper.save(slot)
    except RescueIncompleteError as error:
        if inside and error.whole:
            return error.reference
        raise


def _remove(keeper: SlotKeeper, tree: SlotTree, *, inside: bool) -> None:
    if is_gone(tree):
        require_nothing_staged(keeper.pool.git, tree)
    else:
        keeper.pool.quiesce(tree)
    keeper.pool.remove(tree, inside=inside)


def _leave(bench: Workbench, slot: Slot, state: SlotState, error: Exception) -> None:
    bench.store.move_slot(slot, state, detail=str(error), changed_at=bench.clock.now())


def _forget(bench: Workbench, slot: Slot) -> None:
    store, now = bench.store, bench.clock.now()
    holder = store.attempt(slot.attempt) if slot.attempt else None
    nobody = {"session": None, "attempt": None, "plan": None, "detail": "", "changed_at": now}
    with store.transaction():
        if holder is not None and holder.state is AttemptState.PREPARED:
            why = {"code": "worktree-removed", "detail": "its worktree was removed"}
            store.move_attempt(holder, AttemptState.CANCELLED, reason=why, finished_at=now)
            store.emit(EventName.PLAN_CANCELLED, at=now, run=holder.run, plan=holder.plan, reason=why)
        slot = store.move_slot(slot, SlotState.FREE, **nobody)
        store.move_slot(slot, SlotState.REMOVED)
