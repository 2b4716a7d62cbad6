"""A prepared merge is taken back: the worktree is again as it was, and what was done there is kept.

All of it under the lock of :func:`standing`, so that nothing is done in a worktree that is another's by now:

1. locks that killed git children left are taken away: nothing of the resolver lives any more
2. if anything was changed since the merge was prepared, it is rescued
3. the head that was handed in keeps a name, whatever became of its branch
4. the merge is ended, the worktree clean on its branch, where that stands now; one that was made here goes
5. the journal goes, and a slot that was taken for this alone is given back

What cannot be kept whole is left as it is, and said. Killed in between, the next one does all of it again.
Commits on the branch stay, whoever made them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestrator.errors import BusyError
from orchestrator.mending.place import MADE, leave, leave_left, take_away
from orchestrator.running.places import record_folder
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, poll
from orchestrator.running.waiting import end
from orchestrator.slots.prepared import forget, journals, standing
from orchestrator.slots.unlocking import unlock
from orchestrator.states import EntryState
from plans.errors import PlanctlError
from worktrees.archive import park
from worktrees.branches import branch_commit, detach_in_place
from worktrees.errors import GitFailedError, RescueIncompleteError
from worktrees.git import branch_reference
from worktrees.preparedmerge import fingerprint, take_back
from worktrees.references import Create
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.slots.prepared import Prepared
    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench
    from worktrees.slot import SlotTree


def lease_of(entry: str) -> str:
    """Whoever holds this lease, and nobody else, resolves the conflict of an entry."""
    return f"resolve:{entry}"


def put_back(bench: Workbench, keeper: SlotKeeper, prepared: Prepared) -> dict[str, str]:
    """Take ``prepared`` back; what to add to the reason of its entry: where work is kept, what failed.

    A command that lives all the same, because something else failed, is ended first. Where the journal says
    something else by now, another process has taken over, and nothing is touched. Raises BusyError while
    another one, that was stopped perhaps, is in the middle of it.
    """
    with standing(bench.repository, prepared) as stands:
        return _put_back(bench, keeper, prepared) if stands else {}


def _put_back(bench: Workbench, keeper: SlotKeeper, prepared: Prepared) -> dict[str, str]:
    end_command(bench, prepared, for_good=True)
    slot = _slot_of(bench, prepared)
    tree = keeper.tree_of(slot) if slot is not None else None
    said = _keep_head(bench, prepared)
    if slot is not None and tree is not None and not is_gone(tree) and not prepared.done:
        try:
            said |= _saved(bench, keeper, prepared, slot, tree)
            take_back(bench.git, tree, prepared.branch)
            if prepared.made:
                detach_in_place(bench.git, tree)
        except RescueIncompleteError as error:
            said |= {"not_rescued": str(error), **({"rescue": error.reference} if error.reference else {})}
        except (PlanctlError, OSError) as error:
            said |= {"not_put_back": str(error)}
    said |= _unmake(bench, prepared)  # while the journal names it, so that no crash forgets it
    close(bench, keeper, prepared)
    return said | _unmake(bench, prepared) if "not_put_back" in said else said


def _keep_head(bench: Workbench, prepared: Prepared) -> dict[str, str]:
    """Leave a name to the head that was handed in: a resolver may have reset its branch, or deleted it."""
    head, branch = prepared.ours, prepared.branch
    try:
        tip = branch_commit(bench.references, branch)
        if tip is None:
            create = [Create(branch_reference(branch), head)]
            said = MADE if prepared.made else "planctl: was deleted"
            bench.references.transact(create, message=said, step="resolver.keep")
            return {} if prepared.made else {"kept": f"{branch} was deleted, and is at {head[:12]} again"}
        if bench.objects.is_ancestor(head, tip):
            return {}
        (name,) = park(bench.git, prepared.slot, [head])
    except (PlanctlError, OSError) as error:
        return {"kept": f"the old head {head} could not be kept: {error}"}
    return {"kept": f"{branch} is at {tip[:12]}, and its old head {head[:12]} is kept at {name}"}


def _slot_of(bench: Workbench, prepared: Prepared) -> Slot | None:
    """The slot, unless somebody else holds it by now."""
    slot = bench.store.slot(prepared.slot)
    mine = slot is not None and prepared.holder in ("", slot.attempt)
    return slot if mine else None


def _saved(
    bench: Workbench, keeper: SlotKeeper, prepared: Prepared, slot: Slot, tree: SlotTree
) -> dict[str, str]:
    unlock(bench, tree.path)
    kept = None
    if not prepared.print or fingerprint(bench.git, tree) != prepared.print:
        kept = keeper.save(slot)
    return {"rescue": kept} if kept else {}


def close(bench: Workbench, keeper: SlotKeeper, prepared: Prepared) -> None:
    """There is nothing to take back any more."""
    forget(bench.repository, prepared)
    if prepared.taken:
        leave(bench, keeper, prepared.record)


def _unmake(bench: Workbench, prepared: Prepared) -> dict[str, str]:
    """Take a branch away that was made for nothing; where that fails it stays, and is named."""
    if not prepared.made or prepared.done:
        return {}
    try:
        take_away(bench, prepared.branch, prepared.ours)
    except GitFailedError as error:
        return {"kept": f"{prepared.branch} was made here, and could not be taken away again: {error}"}
    return {}


def end_command(bench: Workbench, prepared: Prepared, *, for_good: bool) -> None:
    """End what lives of the resolver's command."""
    handle = find(record_folder(bench.repository.state_dir, prepared.record))
    if handle is None:
        return
    state = poll(handle)
    if isinstance(state, Running) or state.command_alive:
        end(handle, for_good=for_good)


def take_all_back(bench: Workbench, keeper: SlotKeeper) -> None:
    """Take back whatever stands prepared, also what is still waited for. The caller is alone."""
    for prepared in journals(bench.repository):
        end_command(bench, prepared, for_good=False)
        put_back(bench, keeper, prepared)


def sweep(bench: Workbench, session: SessionHandle, keeper: SlotKeeper, *, first: bool) -> None:
    """Take back what nobody waits for: the entry was dropped, or its process died at the end.

    ``first``: look for slots, too, that dead processes had taken and not begun with.
    """
    found = journals(bench.repository)
    for prepared in found:
        entry = bench.store.entry(prepared.entry)
        if entry is not None and entry.state is EntryState.RESOLVING:
            continue
        with contextlib.suppress(BusyError), session.hold(lease_of(prepared.entry), "taking back"):
            # whoever is at it notices by itself that nobody waits for it
            if prepared in journals(bench.repository):
                put_back(bench, keeper, prepared)
    if first:
        leave_left(bench, keeper, frozenset(prepared.slot for prepared in found))
