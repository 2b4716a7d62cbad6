"""What a worker does first, under its new epoch: finish or undo what a dead one left.

For each open intent, by looking at the references alone:

- the target is or contains the new commit: it landed; checkouts are brought along, the entry is landed
- otherwise it did not: a landed reference that was created without the target moving (git's files backend
  renames one after the other) is removed by compare-and-swap, and the entry is queued again

Then entries that a dead worker left half-way go back to the queue. Idempotent: a second run changes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.merging.epoch import EPOCH
from orchestrator.merging.landing import finish
from orchestrator.merging.settle import settle
from orchestrator.states import EntryState, IntentState
from orchestrator.submitting.key import landed_reference
from worktrees.checkout import abandon_follow, finish_follow
from worktrees.locks import remove_left_locks
from worktrees.references import Delete, Verify

if TYPE_CHECKING:
    from orchestrator.store.records import Entry, Intent
    from orchestrator.workbench import Workbench

_HALF_WAY = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})


def remove_locks(bench: Workbench) -> tuple[str, ...]:
    """Remove lock files that killed git children of planctl left, where that is proven; returns them.

    Before the epoch is taken, since it may be the epoch's own lock that is in the way.
    """
    news = {intent.target: intent.new for intent in bench.store.intents({IntentState.OPEN})}
    return remove_left_locks(bench.git, news)


def recover(bench: Workbench, target: str, epoch: str) -> None:
    """Bring store and references of one target back in line; see the module's text."""
    for intent in bench.store.intents({IntentState.OPEN}):
        if intent.target == target:
            _resolve(bench, intent, epoch)
    for entry in bench.store.entries(target=target, states=_HALF_WAY):
        settle(bench, entry, EntryState.QUEUED, reason={"code": "recovered"})


def _resolve(bench: Workbench, intent: Intent, epoch: str) -> None:
    entry = bench.store.entry(intent.entry)
    assert entry is not None, "an intent is stored only for an entry that exists"
    tip = bench.target_tip()
    landed = bench.references.read(landed_reference(entry.plan or entry.branch, entry.id)) == intent.new
    if landed and bench.objects.is_ancestor(intent.new, tip):
        for git_dir in intent.checkouts:
            finish_follow(bench.git, Path(git_dir), intent.old, intent.new)
        finish(bench, entry, intent, unchecked=entry.unchecked)
        return
    for git_dir in intent.checkouts:
        abandon_follow(Path(git_dir))
    _undo(bench, entry, intent, epoch)


def _undo(bench: Workbench, entry: Entry, intent: Intent, epoch: str) -> None:
    name = landed_reference(entry.plan or entry.branch, entry.id)
    left = bench.references.read(name)
    if left is not None:
        bench.references.transact(
            [Verify(EPOCH, epoch), Delete(name, left)], message="planctl: undo", step="recovery.undo"
        )
    bench.store.move_intent(intent, IntentState.SUPERSEDED)
    if entry.state in _HALF_WAY:
        settle(bench, entry, EntryState.QUEUED, reason={"code": "recovered"})
