"""The branch of an attempt: whose it is, where the plan starts on it, and the slot's HEAD on it.

| the branch | what happens |
| --- | --- |
| is not there | made at the base |
| is planctl's own, of an earlier attempt | what is on it is parked, then it starts anew at the base |
| is somebody else's | refused before anything starts; with ``--adopt`` the plan starts from it |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.archive import park
from worktrees.branches import (
    Ownership,
    attach,
    branch_commit,
    create_branch,
    holders,
    restart_branch,
)
from worktrees.errors import BranchExistsError, BranchInUseError, GitFailedError
from worktrees.locks import remove_branch_lock
from worktrees.pool import pool_folder
from worktrees.references import Create, Update

if TYPE_CHECKING:
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree


ADOPTED: Final = "refs/planctl/adopted"
TIPS: Final = "refs/planctl/tips"
"""Where a plan's branch stood when its last attempt failed."""


def is_own(bench: Workbench, plan: str, branch: str, commit: str) -> bool:
    """Whether all that ``branch`` holds at ``commit`` was made or started from by attempts of ``plan``.

    A commit that a person put there is not, nor is a branch that was adopted and has not landed: to start
    anew from the base would take it off its branch.
    """
    bases = [a for a in bench.store.attempts(plan=plan) if a.branch == branch and a.base]
    if not bases or _holds_adopted(bench, plan, commit):
        return False
    known = {a.base for a in bases} | {a.head for a in bases} | {bench.references.read(_tip(plan))}
    return any(bench.objects.is_ancestor(commit, other) for other in known if other)


def _holds_adopted(bench: Workbench, plan: str, commit: str) -> bool:
    adopted = [c for name, c in bench.references.list(f"{ADOPTED}/").items() if name.endswith(f"/{plan}")]
    target, objects = bench.target_tip(), bench.objects
    return any(objects.is_ancestor(c, commit) and not objects.is_ancestor(c, target) for c in adopted)


def _tip(plan: str) -> str:
    return f"{TIPS}/{plan}"


def note_tip(bench: Workbench, attempt: Attempt) -> None:
    """Keep where the branch stands when an attempt ends without a head: its command's own commits."""
    commit = branch_commit(bench.references, attempt.branch)
    if commit is not None:
        _point(bench, _tip(attempt.plan), commit, "branch.tip")


def require_usable(bench: Workbench, plan: str, branch: str, *, adopt: bool) -> None:
    """Raise BranchExistsError for a branch that is there and somebody else's, unless it is to be adopted.

    Raises BranchInUseError for one that is checked out outside the pool: no slot could be put on it.
    """
    commit = branch_commit(bench.references, branch)
    if commit is None:
        return
    if not adopt and not is_own(bench, plan, branch, commit):
        raise BranchExistsError(branch, commit)
    pool = pool_folder(bench.repository, bench.settings.project.worktrees)
    for worktree in holders(bench.git, branch):
        if not worktree.is_relative_to(pool):
            raise BranchInUseError(branch, worktree)


def adopted_commit(bench: Workbench, attempt: Attempt) -> str | None:
    """Where a branch of somebody else's stands that the plan is to start from, if there is one.

    Raises BranchExistsError when the run was not asked to adopt: the branch was made since the run began.
    """
    earlier = bench.store.attempts(run=attempt.run, plan=attempt.plan)
    if any(a.id != attempt.id and a.branch == attempt.branch and a.base for a in earlier):
        return bench.references.read(adopted_name(attempt))
    run, commit = bench.store.run(attempt.run), branch_commit(bench.references, attempt.branch)
    if commit is None or is_own(bench, attempt.plan, attempt.branch, commit):
        return None
    if run is None or not run.options.get("adopt"):
        raise BranchExistsError(attempt.branch, commit)
    _point(bench, adopted_name(attempt), commit, "branch.adopt")
    return commit


def adopted_name(attempt: Attempt) -> str:
    """The reference that keeps what a run adopted for a plan, so that a retry in it starts there again."""
    return f"{ADOPTED}/{attempt.run}/{attempt.plan}"


def _point(bench: Workbench, name: str, commit: str, step: str) -> None:
    old = bench.references.read(name)
    if old != commit:
        change = Update(name, commit, old) if old else Create(name, commit)
        bench.references.transact([change], message="planctl: branch", step=step)


def put_on_branch(bench: Workbench, tree: SlotTree, attempt: Attempt, begin: str) -> None:
    """Have the attempt's branch at ``begin`` and the slot, which is at ``begin``, on it."""
    try:
        _move(bench, tree, attempt, begin)
    except GitFailedError:
        earlier = (a for a in bench.store.attempts(plan=attempt.plan) if a.branch == attempt.branch)
        moves = {begin, *(commit for a in earlier for commit in (a.base, a.head) if commit)}
        if not remove_branch_lock(bench.git, attempt.branch, moves):
            raise
        _move(bench, tree, attempt, begin)
    attach(bench.git, bench.references, tree, attempt.branch)


def _move(bench: Workbench, tree: SlotTree, attempt: Attempt, begin: str) -> None:
    found = branch_commit(bench.references, attempt.branch)
    if found is None:
        create_branch(bench.references, attempt.branch, begin, Ownership.OTHER)
    elif found != begin:
        others = [worktree for worktree in holders(bench.git, attempt.branch) if worktree != tree.path]
        if others:  # moving it would turn that worktree's files into changes
            raise BranchInUseError(attempt.branch, others[0])
        park(bench.git, attempt.plan, [found])
        restart_branch(bench.references, attempt.branch, found, begin)
