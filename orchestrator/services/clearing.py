"""Slots are given up: removed from the disk once everything in them is kept elsewhere.

Nothing may be at work in such a slot: no command, no process that carries its attempt's mark, no queued
landing. How it is removed: ``slots.removing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import NothingToDoError, SlotInUseError
from orchestrator.running.supervision import marked_processes
from orchestrator.sessions.death import living_session
from orchestrator.slots.keeper import CHECK, PLAN, SlotKeeper, is_over
from orchestrator.slots.removing import Cleared, take_off_disk
from orchestrator.states import PLACED_ATTEMPTS, AttemptState, SlotState
from orchestrator.store.records import Slot
from worktrees.errors import RescueIncompleteError, SlotUnavailableError
from worktrees.journal import being_made
from worktrees.removal import detached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.workbench import Workbench

__all__ = ["Cleared", "Kept", "Pruning", "kept_at", "plan_pruning", "prune", "remove_slot"]
_NEEDS_FORCE: Final = frozenset({SlotState.QUARANTINED})
_IN_QUEUE: Final = frozenset({AttemptState.QUEUED})


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
    """Give a folder of the pool that the store does not know a row, ``broken``, and return it.

    One that it knows by now (a run has just taken it) keeps its row as it is.
    """
    tree = keeper.pool.find(name)
    assert tree is not None, "the caller has found it"
    with bench.store.transaction():
        known = bench.store.slot(name)
        if known is not None and known.state is not SlotState.REMOVED:
            return known
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

    ``force`` takes a quarantined one, and repositories inside it: it goes only if its work can be kept
    whole by now, theirs included. Raises
    NothingToDoError, SlotInUseError, SlotUnavailableError (locked by a person), RescueIncompleteError.
    """
    keeper = SlotKeeper(bench)
    slot = require_slot(bench, keeper, name)
    if slot.state in _NEEDS_FORCE and not force:
        raise SlotInUseError(slot.name, f"it is {slot.state}: {slot.detail} (--force tries again)")
    reason = in_use(bench, slot, marked_processes())
    if reason:
        raise SlotInUseError(slot.name, reason)
    return take_off_disk(bench, keeper, slot, inside=force)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What ``prune`` would remove, what it leaves and why, and slots made or removed half way."""

    unneeded: tuple[Slot, ...]
    kept: tuple[Kept, ...]
    half_way: tuple[str, ...]


def plan_pruning(bench: Workbench, *, spare: int = 0) -> Pruning:
    """Look which slots nobody needs: free ones, but for ``spare`` of each purpose; those of ended attempts.

    Of the free ones those used last are spared: their caches are the newest. Changes nothing.
    """
    keeper, marked = SlotKeeper(bench), marked_processes()
    slots = [slot for slot in bench.store.slots() if slot.state is not SlotState.REMOVED]
    spared = _spared(slots, spare)
    reasons = {
        slot.name: _needed(bench, slot) or in_use(bench, slot, marked) or spared.get(slot.name)
        for slot in slots
    }
    return Pruning(
        tuple(slot for slot in slots if reasons[slot.name] is None),
        tuple(Kept(name, reason) for name, reason in reasons.items() if reason),
        tuple(sorted({*being_made(bench.repository), *detached(bench.repository, keeper.folder)})),
    )


def _spared(slots: Sequence[Slot], spare: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for purpose in (PLAN, CHECK):
        free = [s for s in slots if s.purpose == purpose and s.state is SlotState.FREE]
        free.sort(key=lambda slot: slot.changed_at, reverse=True)
        found |= {slot.name: "it is spared, ready for the next plan" for slot in free[:spare]}
    return found


def prune(bench: Workbench, *, spare: int = 0) -> tuple[list[Cleared], list[Kept]]:
    """Remove what :func:`plan_pruning` names, its work kept elsewhere; finish what was killed half way."""
    keeper, pruning = SlotKeeper(bench), plan_pruning(bench, spare=spare)
    keeper.pool.prune()
    cleared, kept = [], list(pruning.kept)
    for slot in pruning.unneeded:
        try:
            cleared.append(take_off_disk(bench, keeper, slot))
        except (RescueIncompleteError, SlotUnavailableError, SlotInUseError) as error:
            kept.append(Kept(slot.name, str(error)))
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
    if holder is not None and holder.state in PLACED_ATTEMPTS:
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


def kept_at(cleared: Cleared) -> str:
    """Where the work of a removed slot is, in words."""
    places = [*([cleared.rescue] if cleared.rescue else []), *cleared.parked]
    return f"its work is kept at {', '.join(places)}" if places else "it held nothing that was not kept"
