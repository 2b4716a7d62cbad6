"""A person asks for a conflict to be resolved: by the resolver now, or by hand on a prepared merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, UsageError
from orchestrator.leases.lease import holder_of
from orchestrator.mending.mender import Mender
from orchestrator.mending.place import hindrance
from orchestrator.mending.preparing import keep_ignored, merge_into, merges_by_now, rescued
from orchestrator.mending.returning import lease_of
from orchestrator.merging.settle import settle
from orchestrator.services.entries import newest_of, require_entry
from orchestrator.slots.keeper import SlotKeeper, slot_of_attempt
from orchestrator.states import AttemptState, EntryState
from worktrees.mirror import shown_target
from worktrees.preparedmerge import take_back, unmerged
from worktrees.slot import is_gone

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

_OF_CONFLICT: Final = ("detail", "paths", "stages", "messages", "commit", "target_commit", "others")
"""What a conflict's reason keeps, whatever was tried before."""


def resolve(bench: Workbench, session: SessionHandle, name: str, *, cancel: threading.Event) -> Entry:
    """Have the resolver at it now, and return the entry, or the one that took its place, as it is then.

    Raises NothingToDoError, UsageError for an entry without a conflict, and BusyError while another process
    has it.
    """
    entry = _conflicted(bench, name)
    if entry.state is EntryState.CONFLICTED:
        entry = _again(bench, entry)
    mender = Mender(bench, session, SlotKeeper(bench), cancel.is_set)
    try:
        is_mine = mender.resolve(entry)
    except BusyError as error:
        raise BusyError(f"the conflict of {name}", error.holder) from error
    if not is_mine:
        raise BusyError(f"the conflict of {name}", holder_of(bench.store, lease_of(entry.id)))
    newest = newest_of(bench.store, entry.id)
    assert newest is not None, "entries are never deleted"
    return newest


def _conflicted(bench: Workbench, name: str) -> Entry:
    entry = require_entry(bench, name)
    if entry.state not in (EntryState.CONFLICTED, EntryState.RESOLVING):
        raise UsageError(f"{name} is {entry.state}: there is no conflict to resolve")
    return entry


def _again(bench: Workbench, entry: Entry) -> Entry:
    """A person's word counts anew, however often it was tried."""
    why = {key: entry.reason[key] for key in _OF_CONFLICT if key in entry.reason}
    with bench.store.transaction():
        attempt = bench.store.attempt(entry.attempt) if entry.attempt else None
        if attempt is not None and attempt.state is AttemptState.CONFLICTED:
            bench.store.move_attempt(attempt, AttemptState.QUEUED, reason={})
        return settle(bench, entry, EntryState.RESOLVING, reason={**why, "code": "resolving"})


@dataclass(frozen=True, slots=True)
class ByHand:
    """A merge that stands in ``worktree`` for a person, with conflicts in ``paths``.

    ``kept`` says where ignored files are that the merge wrote over, empty when there were none.
    """

    entry: Entry
    worktree: Path
    paths: tuple[str, ...]
    kept: str

    @property
    def name(self) -> str:
        """What people call it."""
        return self.entry.plan or self.entry.branch


def prepare(bench: Workbench, session: SessionHandle, name: str) -> ByHand:
    """Merge the target into a conflicted plan's branch, in its worktree, and leave it to the person.

    Raises NothingToDoError, BusyError, and UsageError where there is no such worktree, or work in it.
    """
    entry = _conflicted(bench, name)
    if entry.state is EntryState.RESOLVING:
        raise UsageError(f"the resolver has {name}; `planctl queue drop {name}` calls it off")
    with session.hold(lease_of(entry.id), "preparing a merge"):
        return _prepare(bench, entry)


def _prepare(bench: Workbench, entry: Entry) -> ByHand:
    keeper, target = SlotKeeper(bench), shown_target(entry.target)
    slot = slot_of_attempt(bench, entry.attempt) if entry.attempt else None
    tree = keeper.tree_of(slot) if slot is not None else None
    if slot is None or tree is None or is_gone(tree):
        said = f"`git merge {target}` on it, commit, then `planctl queue add {entry.branch}`"
        raise UsageError(f"{entry.branch} has no worktree of planctl's: {said}")
    why = hindrance(bench, tree, entry.branch)
    if why is not None:
        raise UsageError(why.detail)
    theirs = bench.target_tip()
    said = f"{entry.branch} merges by now: `planctl queue add {entry.plan or entry.branch}`"
    if merges_by_now(bench, entry, theirs):
        raise UsageError(said)
    kept = rescued(keep_ignored(bench, slot, tree, theirs))
    if merge_into(bench, entry, tree, theirs).clean:  # by a merge driver of the user's
        take_back(bench.git, tree, entry.branch)
        raise UsageError(f"{said}; {kept}" if kept else said)
    return ByHand(entry, tree.path, unmerged(bench.git, tree), kept)
