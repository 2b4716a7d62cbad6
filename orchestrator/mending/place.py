"""Where a conflict is resolved: in the plan's own worktree, or in a free one on the branch.

| the branch | where |
| --- | --- |
| has moved since it was handed in | nowhere: its new head is not what was asked to land |
| is a plan's, whose worktree is clean and on it | there |
| is a plan's, and somebody works in the worktree | nowhere: it is not touched |
| is checked out by a person | nowhere: as above |
| else | in a free slot of the pool, given back afterwards |

A branch that only the remote has, or that is ahead there, is made or moved on here once the journal says so
(:func:`move_in`): the resolution is a commit on it. One that was made goes again when nothing comes of it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.slots.keeper import PLAN, slot_of_attempt
from orchestrator.slots.places import session_is_alive
from orchestrator.slots.room import make_room
from orchestrator.slots.saving import set_aside
from orchestrator.states import SlotState
from orchestrator.submitting.remote import branch_head
from plans.errors import PlanctlError
from worktrees.branches import attach, branch_commit, holders
from worktrees.errors import (
    DiskFloorError,
    ReferenceMovedError,
    RescueIncompleteError,
    SlotUnavailableError,
)
from worktrees.exclude import exclude
from worktrees.git import branch_reference
from worktrees.preparedmerge import branch_of
from worktrees.references import Create, Delete, Update
from worktrees.slot import is_gone
from worktrees.state import Condition, worktree_state

if TYPE_CHECKING:
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Entry, Slot
    from orchestrator.workbench import Workbench
    from worktrees.slot import SlotTree

TAKEN: Final = "resolve-"
"""What the holder of a slot is called that was taken for a resolver alone."""
MADE: Final = "planctl: as on the remote"
"""What the log of a branch says that was made here for this."""


@dataclass(frozen=True, slots=True)
class Place:
    """A slot for the branch, clean; one that is ``taken`` for this alone is not on it yet.

    ``made``: the branch is not here yet either, and will be made for this.
    """

    slot: Slot
    tree: SlotTree
    taken: bool
    made: bool = False


@dataclass(frozen=True, slots=True)
class Back:
    """The conflict goes back to a person, for the reason ``code``; ``detail`` says it in words."""

    code: str
    detail: str


def find_place(bench: Workbench, keeper: SlotKeeper, entry: Entry, name: str) -> Place | Back:
    """The place for ``entry``; a slot that is taken for it is called ``name``. Writes nothing else."""
    tip = branch_head(bench, entry.branch)
    if tip != entry.head:
        where = f"is at {tip[:12]} now" if tip else "is gone"
        return Back("resolver-moved", f"{entry.branch} {where}, and not at {entry.head[:12]} any more")
    slot = slot_of_attempt(bench, entry.attempt) if entry.attempt else None
    tree = keeper.tree_of(slot) if slot is not None and slot.state is SlotState.LEASED else None
    if slot is not None and tree is not None and not is_gone(tree):
        why = hindrance(bench, tree, entry.branch) or _behind(bench, tree, entry)
        return why or Place(slot, tree, taken=False)
    for worktree in holders(bench.git, entry.branch):
        return Back("resolver-worktree", f"{entry.branch} is checked out in {worktree}, which is left alone")
    return _take(bench, keeper, entry, name)


def _behind(bench: Workbench, tree: SlotTree, entry: Entry) -> Back | None:
    if branch_commit(bench.references, entry.branch) == entry.head:
        return None
    return Back("resolver-worktree", f"{entry.branch} is ahead on the remote of what is in {tree.path}")


def hindrance(bench: Workbench, tree: SlotTree, branch: str) -> Back | None:
    """Why no merge is to be prepared there: somebody is at work."""
    if branch_of(tree) != branch:
        return Back("resolver-worktree", f"{tree.path} is not on {branch}")
    state = worktree_state(bench.git, tree.path)
    if state.condition is Condition.DIRTY:
        return Back("resolver-worktree", f"{tree.path} holds uncommitted work: {', '.join(state.paths[:5])}")
    if state.condition is not Condition.CLEAN:
        return Back("resolver-worktree", f"{tree.path} is {state.condition}")
    return None


def _take(bench: Workbench, keeper: SlotKeeper, entry: Entry, name: str) -> Place | Back:
    try:
        make_room(bench, keeper)
        slot = keeper.take(PLAN, attempt=name)
    except (SlotUnavailableError, DiskFloorError) as error:
        return Back("resolver-worktree", f"there is no worktree for {entry.branch}: {error}")
    try:
        tree = keeper.make_ready(slot, entry.head)
        exclude(bench.repository)
    except RescueIncompleteError as error:
        set_aside(bench, slot, error)
        return Back("resolver-worktree", f"there is no worktree for {entry.branch}: {error}")
    except (PlanctlError, OSError) as error:
        keeper.try_give_back(slot)
        return Back("resolver-worktree", f"there is no worktree for {entry.branch}: {error}")
    return Place(slot, tree, taken=True, made=branch_commit(bench.references, entry.branch) is None)


def move_in(bench: Workbench, entry: Entry, place: Place) -> Back | None:
    """Have the branch at the entry's head, which holds all that is here, and a slot that was taken on it."""
    try:
        if place.taken:
            _move_in(bench, entry, place)
    except (PlanctlError, OSError) as error:  # somebody else has made the branch meanwhile, or has it
        return Back("resolver-worktree", f"there is no worktree for {entry.branch}: {error}")
    return None


def _move_in(bench: Workbench, entry: Entry, place: Place) -> None:
    reference = branch_reference(entry.branch)
    here = None if place.made else branch_commit(bench.references, entry.branch)
    if here != entry.head:
        change = Update(reference, entry.head, here) if here else Create(reference, entry.head)
        bench.references.transact([change], message=MADE, step="resolver.bring")
    attach(bench.git, bench.references, place.tree, entry.branch)


def take_away(bench: Workbench, branch: str, head: str) -> None:
    """Delete a branch that was made here, unless it has moved since, or somebody has it checked out.

    Killed before it was made, somebody else may have made it meanwhile: its log tells, where it has one.
    Raises GitFailedError.
    """
    name = branch_reference(branch)
    if branch_commit(bench.references, branch) != head or holders(bench.git, branch):
        return
    if bench.references.made_with(name) not in (None, MADE):
        return
    change = Delete(name, head)
    # moved this very moment: it is somebody's
    with contextlib.suppress(ReferenceMovedError):
        bench.references.transact([change], message=MADE, step="resolver.unbring")


def leave(bench: Workbench, keeper: SlotKeeper, name: str) -> None:
    """Give back the slot that was taken under ``name``, if it still is."""
    slot = slot_of_attempt(bench, name)
    if slot is not None and slot.state is SlotState.LEASED:
        keeper.try_give_back(slot)


def leave_left(bench: Workbench, keeper: SlotKeeper, wanted: frozenset[str]) -> None:
    """Give back slots that dead processes had taken and not begun with; ``wanted`` have a journal."""
    for slot in bench.store.slots(purpose=PLAN, states={SlotState.LEASED}):
        mine = (slot.attempt or "").startswith(TAKEN) and slot.name not in wanted
        if mine and not session_is_alive(bench, slot.session):
            keeper.try_give_back(slot)
