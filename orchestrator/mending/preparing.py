"""A merge is prepared in a worktree, for a resolver or for a person, and destroys nothing that lay there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.slots.saving import save_work
from worktrees.merge import Merged, merge_trees
from worktrees.mirror import shown_target
from worktrees.preparedmerge import prepare_merge
from worktrees.unsaved import overwritten

if TYPE_CHECKING:
    from orchestrator.store.records import Entry, Slot
    from orchestrator.workbench import Workbench
    from worktrees.preparedmerge import PreparedMerge
    from worktrees.slot import SlotTree


def keep_ignored(bench: Workbench, slot: Slot, tree: SlotTree, theirs: str) -> str:
    """Rescue the ignored files that a merge of ``theirs`` writes over: to git they count for nothing.

    Returns the reference, empty when there are none.
    """
    lost = overwritten(bench.git, tree, theirs)
    return (save_work(bench, slot, tree, "", lost) or "") if lost else ""


def merges_by_now(bench: Workbench, entry: Entry, theirs: str) -> bool:
    """Whether ``theirs`` merges by itself, as the queue merges: then nothing in a worktree is touched."""
    base = entry.base if entry.explicit_base else None
    return isinstance(merge_trees(bench.git, bench.objects, theirs, entry.head, base=base), Merged)


def merge_into(bench: Workbench, entry: Entry, tree: SlotTree, theirs: str) -> PreparedMerge:
    """Prepare the merge of ``theirs``; stacked work with the base that it started from."""
    base = entry.base if entry.explicit_base else None
    return prepare_merge(bench.git, tree, theirs, name=shown_target(entry.target), base=base)


def rescued(reference: str) -> str:
    """What is said of :func:`keep_ignored`."""
    return f"ignored files that the merge wrote over are kept at {reference}" if reference else ""
