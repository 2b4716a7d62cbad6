"""Slots are given up: removed from the disk once everything in them is kept elsewhere.

1. nothing may be at work in it: no command, no process that carries its attempt's mark, no queued landing
2. the slot is this session's (``rescuing``): nobody else takes it meanwhile
3. rescue: what is uncommitted, under ``refs/planctl/rescue/``
4. park: commits of its branch, its HEAD and its own references that are neither landed nor parked
5. removal, which looks once more for commits that only the slot holds
6. ``removed``; an attempt that was only prepared is cancelled

Where 3 to 5 fail the slot is ``quarantined`` or ``broken``, and nothing of it was deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import NothingToDoError, SlotInUseError, StaleRecordError
from orchestrator.events import EventName
from orchestrator.running.supervision import marked_processes
from orchestrator.services.conductors import living_session
from orchestrator.slots.keeper import CHECK, PLAN, SlotKeeper, is_over
from orchestrator.states import WORKING_ATTEMPTS, AttemptState, SlotState
from orchestrator.store.records import Slot
from plans.ids import PlanId
from worktrees.archive import is_parked_or_landed, park
from worktrees.branches import branch_commit
from worktrees.errors import (
    GitFailedError,
    ProvisioningError,
    RescueIncompleteError,
    RescueInterruptedError,
    SlotUnavailableError,
)
from worktrees.links import unlink_plan
from worktrees.parked import private_commits, require_nothing_staged
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree

_NEEDS_FORCE: Final = frozenset({SlotState.QUARANTINED})
_IN_QUEUE: Final = frozenset({AttemptState.QUEUED})


@dataclass(frozen=True, slots=True)
class Cleared:
    """A slot that is no more: where its uncommitted work (None: there was none) and its commits are kept."""

    slot: str
    plan: str | None
    rescue: str | None
    parked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A slot that ``prune`` left, and why."""

    slot: str
    reason: str


def require_slot(bench: Workbench, keeper: SlotKeeper, name: str) -> Slot:
    """The slot of that name, or the one that the plan of that id holds; raises NothingToDoError.

    A folder of the pool that the store has no row for is given one, ``broken``: so it is never recycled.
    """
    rows = {slot.name: slot for slot in bench.store.slots() if slot.state is not SlotState.REMOVED}
    if name in rows:
        return rows[name]
    if keeper.pool.find(name) is not None:
        return adopt_folder(bench, keeper, name)
    held = [s for s in rows.values() if s.plan == name and s.state is not SlotState.FREE]
    if not held:
        raise NothingToDoError(f"there is no slot {name!r}, and no plan of that id holds one")
    return max(held, key=lambda slot: slot.changed_at)


def adopt_folder(bench: Workbench, keeper: SlotKeeper, name: str) -> Slot:
    """Give a folder of the pool that the store does not know a row, ``broken``, and return it."""
    tree = keeper.pool.find(name)
    assert tree is not None, "the caller has found it"
    known = bench.store.slot(name)
    with bench.store.transaction():
        if known is not None:
            known = bench.store.move_slot(known, SlotState.FREE, changed_at=bench.clock.now())
            return bench.store.move_slot(known, SlotState.BROKEN, detail="it was not known")
        row = Slot(
            name=name,
            path=str(tree.path),
            purpose=CHECK if name.startswith("check-") else PLAN,
            state=SlotState.BROKEN,
            detail="it was not known",
            changed_at=bench.clock.now(),
        )
        bench.store.add_slot(row)
    return row


def remove_slot(bench: Workbench, name: str, *, force: bool = False) -> Cleared:
    """Remove one slot, by its name or the plan that holds it; see the module's text.

    ``force`` tries a quarantined one: it goes only if its work can be kept whole by now. Raises
    NothingToDoError, SlotInUseError, SlotUnavailableError (locked by a person), RescueIncompleteError.
    """
    keeper = SlotKeeper(bench)
    slot = require_slot(bench, keeper, name)
    if slot.state in _NEEDS_FORCE and not force:
        raise SlotInUseError(slot.name, f"it is {slot.state}: {slot.detail} (--force tries again)")
    reason = in_use(bench, slot, marked_processes())
    if reason:
        raise SlotInUseError(slot.name, reason)
    return _clear(bench, keeper, slot)


def prune(bench: Workbench) -> tuple[list[Cleared], list[Kept]]:
    """Remove every slot that is free, or whose attempt has ended; finish what was killed half way."""
    keeper, marked = SlotKeeper(bench), marked_processes()
    keeper.pool.prune()
    cleared, kept = [], []
    for slot in bench.store.slots():
        if slot.state is SlotState.REMOVED:
            continue
        reason = _needed(bench, slot) or in_use(bench, slot, marked)
        if reason is None:
            try:
                cleared.append(_clear(bench, keeper, slot))
                continue
            except (RescueIncompleteError, SlotUnavailableError, SlotInUseError) as error:
                reason = str(error)
        kept.append(Kept(slot.name, reason))
    return cleared, kept


def _needed(bench: Workbench, slot: Slot) -> str | None:
    """Why nobody but a person should give up the slot."""
    if slot.state in (SlotState.QUARANTINED, SlotState.BROKEN):
        return f"it is {slot.state}: {slot.detail}"
    holder = bench.store.attempt(slot.attempt) if slot.attempt else None
    if slot.state is not SlotState.FREE and holder is not None and not is_over(holder):
        return f"{holder.plan} is {holder.state} in it"
    return None


def in_use(bench: Workbench, slot: Slot, marked: dict[str, tuple[int, ...]]) -> str | None:
    """What is at work in ``slot``, in words, or None; ``marked`` are the processes of attempts."""
    if slot.state is SlotState.FREE:
        return None
    holder = bench.store.attempt(slot.attempt) if slot.attempt else None
    if holder is not None and holder.state in WORKING_ATTEMPTS:
        return f"{holder.plan} is {holder.state} in it"
    if holder is not None and holder.state in _IN_QUEUE:
        return f"{holder.plan} is in the merge queue"
    pids = [
        pid for name, found in marked.items() if slot.attempt and _is_of(name, slot.attempt) for pid in found
    ]
    if pids:
        return f"processes of it live: {', '.join(map(str, pids))}"
    if holder is None and slot.session != bench.session and living_session(bench.store, slot.session):
        return f"session {slot.session} uses it"
    return None


def _is_of(name: str, attempt: str) -> bool:
    """Whether a command is of that attempt or check: stages are called ``<attempt>-<stage>``."""
    return attempt in (name, name.rpartition("-")[0])


def _clear(bench: Workbench, keeper: SlotKeeper, slot: Slot) -> Cleared:
    tree = keeper.pool.find(slot.name)
    if tree is not None and (tree.git_dir / "locked").exists():
        raise SlotUnavailableError(f"{tree.path} is locked against removal")
    slot = _claim(bench, slot)
    try:
        rescued = keeper.save(slot) if tree is not None and not is_gone(tree) else None
        parked = _park(bench, slot, tree) if tree else ()
        if tree is not None:
            _remove(keeper, tree)
    except RescueInterruptedError as error:
        _leave(bench, slot, SlotState.BROKEN, error)
        raise
    except RescueIncompleteError as error:
        _leave(bench, slot, SlotState.QUARANTINED, error)
        raise
    except (GitFailedError, ProvisioningError, SlotUnavailableError, OSError) as error:
        _leave(bench, slot, SlotState.BROKEN, error)
        raise
    if slot.plan:
        unlink_plan(keeper.folder, PlanId(slot.plan))
    _forget(bench, slot)
    return Cleared(slot.name, slot.plan, rescued, parked)


def _claim(bench: Workbench, slot: Slot) -> Slot:
    store, now = bench.store, bench.clock.now()
    try:
        with store.transaction():
            if slot.state is SlotState.FREE:
                slot = store.move_slot(slot, SlotState.LEASED, session=bench.session, changed_at=now)
            if slot.state is SlotState.RESCUING:  # of a session that is dead, see in_use
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


def _remove(keeper: SlotKeeper, tree: SlotTree) -> None:
    if is_gone(tree):
        require_nothing_staged(keeper.pool.git, tree)
    else:
        keeper.pool.quiesce(tree)
    keeper.pool.remove(tree)


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


def kept_at(cleared: Cleared) -> str:
    """Where the work of a removed slot is, in words."""
    places = [*([cleared.rescue] if cleared.rescue else []), *cleared.parked]
    return f"its work is kept at {', '.join(places)}" if places else "it held nothing that was not kept"
