"""Undo what a plan landed, through the queue like any other work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.errors import NothingToDoError, RevertConflictError
from orchestrator.submitting.key import landed_folder
from orchestrator.submitting.landed import landed_folders
from orchestrator.submitting.submit import Work, submit
from worktrees.git import branch_reference
from worktrees.merge import Conflicted, merge_trees
from worktrees.references import Create, Update
from worktrees.trailers import KEY_TRAILER, says, with_trailers
from worktrees.writer import Draft, write_commit

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

_REVERTS: Final = "Planctl-Reverts"
_URGENT: Final = 100.0


def revert(bench: Workbench, plan: str) -> Entry:
    """Queue a commit that undoes the newest landing of ``plan``; asked twice, it is the same entry.

    Raises NothingToDoError when nothing of it is on the target, RevertConflictError when it does not come
    out cleanly because later work changed the same places.
    """
    tip = bench.target_tip()
    old, new = _newest_landing(bench, plan, tip)
    branch, waiting = _branch(bench, plan, new, tip)
    if waiting is not None:
        base = bench.objects.parents(waiting)[0]
        return submit(bench, _work(bench, branch, waiting, base))
    merged = merge_trees(bench.git, bench.objects, tip, old, base=new)
    if isinstance(merged, Conflicted):
        raise RevertConflictError(plan, merged.paths)
    if merged.tree == bench.objects.tree_of(tip):
        raise NothingToDoError(f"what {plan} landed is not there any more")
    text = f"Revert plan '{plan}'\n\nThis undoes {new}, which {plan} landed on {old}."
    message = with_trailers(text, ((_REVERTS, new),), replacing=(_REVERTS,))
    commit = write_commit(bench.git, bench.objects, Draft(merged.tree, (tip,), message))
    _point(bench, branch_reference(branch), commit)
    return submit(bench, _work(bench, branch, commit, tip))


def _work(bench: Workbench, branch: str, head: str, base: str) -> Work:
    return Work(target=bench.target, branch=branch, head=head, base=base, priority=_URGENT)


def _newest_landing(bench: Workbench, plan: str, tip: str) -> tuple[str, str]:
    """The target before and after the newest landing of ``plan``.

    A rebase may lie between as many commits: all that carry the key of the landing.
    """
    found: dict[str, str] = {}
    for folder in landed_folders(bench):
        found |= bench.references.list(f"{landed_folder(folder, plan)}/")
    landed = {name: commit for name, commit in found.items() if bench.objects.is_ancestor(commit, tip)}
    if not landed:
        raise NothingToDoError(f"nothing of {plan} is on the target")
    commits = set(landed.values())
    newest = next(
        name
        for name, commit in landed.items()
        if all(bench.objects.is_ancestor(other, commit) for other in commits)
    )
    key, commit = newest.rpartition("/")[2], landed[newest]
    old = commit
    while says(bench.objects.message(old), KEY_TRAILER, key):
        old = bench.objects.parents(old)[0]
    if old == commit:
        raise NothingToDoError(f"the newest landing of {plan} brought nothing: its work was there already")
    return old, commit


def _branch(bench: Workbench, plan: str, reverted: str, tip: str) -> tuple[str, str | None]:
    """The branch for the revert, and its commit if this very revert stands there and has not landed yet.

    A branch of that name that is anything else, somebody's or an earlier revert's, is left alone.
    """
    number = 1
    while True:
        name = f"revert/{plan}" if number == 1 else f"revert/{plan}-{number}"
        head = bench.references.read(branch_reference(name))
        if head is None:
            return name, None
        is_this = says(bench.objects.message(head), _REVERTS, reverted)
        if is_this and not bench.objects.is_ancestor(head, tip):
            return name, head
        number += 1


def _point(bench: Workbench, reference: str, commit: str) -> None:
    old = bench.references.read(reference)
    change = Update(reference, commit, old) if old else Create(reference, commit)
    bench.references.transact([change], message="planctl: revert", step="revert.branch")
