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
from worktrees.errors import BranchExistsError, BranchInUseError
from worktrees.references import Create, Update

if TYPE_CHECKING:
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree


ADOPTED: Final = "refs/planctl/adopted"


def is_own(bench: Workbench, plan: str, branch: str) -> bool:
    """Whether an attempt of ``plan`` has worked on ``branch`` before."""
    return any(a.branch == branch and a.base for a in bench.store.attempts(plan=plan))


def require_usable(bench: Workbench, plan: str, branch: str, *, adopt: bool) -> None:
    """Raise BranchExistsError for a branch that is there and somebody else's, unless it is to be adopted."""
    commit = branch_commit(bench.references, branch)
    if commit is not None and not adopt and not is_own(bench, plan, branch):
        raise BranchExistsError(branch, commit)


def adopted_commit(bench: Workbench, attempt: Attempt) -> str | None:
    """Where a branch of somebody else's stands that the plan is to start from, if there is one.

    Raises BranchExistsError when the run was not asked to adopt: the branch was made since the run began.
    """
    run, commit = bench.store.run(attempt.run), branch_commit(bench.references, attempt.branch)
    earlier = [a for a in bench.store.attempts(plan=attempt.plan) if a.id != attempt.id]
    if any(a.branch == attempt.branch and a.base for a in earlier):
        return bench.references.read(_adopted(attempt))
    if commit is None:
        return None
    if run is None or not run.options.get("adopt"):
        raise BranchExistsError(attempt.branch, commit)
    _remember_adopted(bench, attempt, commit)
    return commit


def _adopted(attempt: Attempt) -> str:
    """Keeps what a run adopted for a plan, so that a retry in it starts there again."""
    return f"{ADOPTED}/{attempt.run}/{attempt.plan}"


def _remember_adopted(bench: Workbench, attempt: Attempt, commit: str) -> None:
    name = _adopted(attempt)
    old = bench.references.read(name)
    if old != commit:
        change = Update(name, commit, old) if old else Create(name, commit)
        bench.references.transact([change], message="planctl: adopted", step="branch.adopt")


def put_on_branch(bench: Workbench, tree: SlotTree, attempt: Attempt, begin: str) -> None:
    """Have the attempt's branch at ``begin`` and the slot, which is at ``begin``, on it."""
    found = branch_commit(bench.references, attempt.branch)
    if found is None:
        create_branch(bench.references, attempt.branch, begin, Ownership.OTHER)
    elif found != begin:
        others = [worktree for worktree in holders(bench.git, attempt.branch) if worktree != tree.path]
        if others:  # moving it would turn that worktree's files into changes
            raise BranchInUseError(attempt.branch, others[0])
        park(bench.git, attempt.plan, [found])
        restart_branch(bench.references, attempt.branch, found, begin)
    attach(bench.git, bench.references, tree, attempt.branch)
