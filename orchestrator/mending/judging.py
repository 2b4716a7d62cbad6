"""What a resolver that ended well has made of a conflict: a commit to queue, or why there is none.

| the worktree | |
| --- | --- |
| HEAD is not on the branch, or the branch was moved while the merge stands | back: `resolver-moved` |
| the merge stands, and no path is unmerged or has conflict markers | planctl commits it |
| ... but some path is, or has | back: `resolver-unresolved` |
| the merge is committed, with both sides in it | what is left is committed, as after any command |
| the merge was given up | back: `resolver-unresolved` |

A path in conflict counts as merged when it was staged, or when its file had conflict markers and has none
any more: editors and merge tools that work on files do not stage. What had no markers to begin with (one side
deleted it, it is binary) says nothing by itself, and has to be staged; so has what is gone or empty by now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.mending.place import Back
from plans.project import HookPolicy
from worktrees.archive import park
from worktrees.branches import branch_commit
from worktrees.errors import GitRefusedError
from worktrees.git import branch_reference
from worktrees.marked import changed_from_all, is_nothing, marked, marked_there
from worktrees.mirror import shown_target
from worktrees.nested import find_nested
from worktrees.preparedmerge import (
    branch_of,
    commit_staged,
    has_staged,
    merge_head,
    stage,
    stage_all,
    staged_tree,
    unmerged,
)
from worktrees.references import Update
from worktrees.slot import is_gone
from worktrees.trailers import PLAN_TRAILER, RUN_TRAILER, with_trailers

if TYPE_CHECKING:
    from orchestrator.slots.prepared import Prepared
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.slot import SlotTree

_KEPT_BY_TOOLS = ".orig"
"""``git mergetool`` and ``patch`` leave the file with its markers beside it under this ending."""


def outcome(bench: Workbench, entry: Entry, prepared: Prepared, tree: SlotTree) -> str | Back:
    """The commit that resolves it, made if it is not there yet. Harmless to repeat."""
    if is_gone(tree):
        return Back("resolver-failed", f"the resolver took its own worktree away, {tree.path}")
    tip = branch_commit(bench.references, prepared.branch)
    if branch_of(tree) != prepared.branch or tip is None:
        return Back("resolver-moved", f"HEAD was left off {prepared.branch}")
    if merge_head(tree) is None:
        return _committed(bench, entry, prepared, tree, tip)
    if tip != prepared.ours or merge_head(tree) != prepared.theirs:
        return Back("resolver-moved", f"{prepared.branch} was moved to {tip[:12]} while the merge stood")
    return _unresolved(bench, prepared, tree) or _conclude(bench, entry, prepared, tree)


def _committed(bench: Workbench, entry: Entry, prepared: Prepared, tree: SlotTree, tip: str) -> str | Back:
    objects = bench.objects
    if tip == prepared.ours:
        return Back("resolver-unresolved", "the merge was given up")
    if not all(objects.is_ancestor(side, tip) for side in (prepared.ours, prepared.theirs)):
        return Back("resolver-moved", f"{prepared.branch} is at {tip[:12]}, which does not hold both sides")
    left = _still_marked(bench, prepared, tree)
    if left:
        return Back("resolver-unresolved", f"committed with conflict markers: {', '.join(left[:5])}")
    if not bench.settings.project.leftovers:
        return _marked_there(bench, prepared, tree, tip) or tip
    return _nested(bench, tree) or _left_over(bench, entry, prepared, tree) or tip


def _marked_there(bench: Workbench, prepared: Prepared, tree: SlotTree, treeish: str) -> Back | None:
    """Why what the worktree may hide is no resolution: its files count for nothing where none is taken."""
    left = marked_there(bench.git, tree, treeish, (prepared.ours, prepared.theirs))
    if not left:
        return None
    return Back("resolver-unresolved", f"committed with conflict markers: {', '.join(left[:5])}")


def _left_over(bench: Workbench, entry: Entry, prepared: Prepared, tree: SlotTree) -> str | Back | None:
    """Commit what the resolver left beside its own commit; None: nothing."""
    _stage_all(bench, prepared, tree)
    if not has_staged(bench.git, tree):
        return None
    return _commit(bench, entry, tree, "Left uncommitted by the resolver")


def _still_marked(bench: Workbench, prepared: Prepared, tree: SlotTree) -> tuple[str, ...]:
    """Wherever they are by now: what was in conflict may have been moved, or copied."""
    sides, own = (prepared.ours, prepared.theirs), _kept_by_tools(prepared)
    changed = changed_from_all(bench.git, tree, sides, new=bench.settings.project.leftovers)
    paths = sorted({*prepared.marked, *(path for path in changed if path not in own)})
    return marked(bench.git, tree, paths, sides)


def _unresolved(bench: Workbench, prepared: Prepared, tree: SlotTree) -> Back | None:
    git = bench.git
    left = unmerged(git, tree)
    still = _still_marked(bench, prepared, tree)
    open_ = still or tuple(p for p in left if p not in prepared.marked or is_nothing(tree, p))
    if open_:
        what = "have conflict markers" if still else "are not merged"
        return Back(
            "resolver-unresolved", f"the resolver ended well, and these {what}: {', '.join(open_[:5])}"
        )
    nested = _nested(bench, tree)
    if nested is None:
        stage(git, tree, left)
    return nested


def _nested(bench: Workbench, tree: SlotTree) -> Back | None:
    found = find_nested(bench.git, tree.path)
    if not found:
        return None
    return Back("resolver-unresolved", f"a repository was left in the worktree: {found[0]}")


def _conclude(bench: Workbench, entry: Entry, prepared: Prepared, tree: SlotTree) -> str | Back:
    if bench.settings.project.leftovers:
        _stage_all(bench, prepared, tree)
    elif hidden := _marked_there(bench, prepared, tree, staged_tree(bench.git, tree)):
        return hidden
    target = shown_target(entry.target)
    commit = _commit(bench, entry, tree, f"Merge {target} into {prepared.branch}")
    if isinstance(commit, Back):
        return commit
    parents = bench.objects.parents(commit)
    if parents == (prepared.ours, prepared.theirs):
        return commit
    # somebody moved the branch this very moment: its new commit stays, without a merge that undoes it
    park(bench.git, tree.name, [commit])
    change = Update(branch_reference(prepared.branch), parents[0], commit)
    bench.references.transact([change], message="planctl: moved meanwhile", step="resolver.undo")
    return Back("resolver-moved", f"{prepared.branch} was moved while the merge was committed")


def _stage_all(bench: Workbench, prepared: Prepared, tree: SlotTree) -> None:
    stage_all(bench.git, tree, but=_kept_by_tools(prepared))


def _kept_by_tools(prepared: Prepared) -> list[str]:
    return [f"{path}{_KEPT_BY_TOOLS}" for path in prepared.marked]


def _commit(bench: Workbench, entry: Entry, tree: SlotTree, subject: str) -> str | Back:
    named = {PLAN_TRAILER: entry.plan, RUN_TRAILER: entry.run}
    text = with_trailers(subject, [(key, value) for key, value in named.items() if value])
    try:
        return commit_staged(bench.git, tree, text, run_hooks=bench.settings.project.hooks is HookPolicy.RUN)
    except GitRefusedError as error:
        return Back("resolver-refused", f"the merge could not be committed: {error}")
