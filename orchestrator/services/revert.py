"""Undo what a plan landed, through the queue like any other work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import NothingToDoError
from orchestrator.states import EntryState, IntentState
from orchestrator.submitting.landed import landed_commits
from orchestrator.submitting.submit import Work, submit
from plans.errors import PlanctlError
from worktrees.git import branch_reference
from worktrees.merge import Conflicted, merge_trees
from worktrees.references import Create, Update

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


class RevertConflictError(PlanctlError):
    """Later work has changed what is to be undone."""

    def __init__(self, plan: str, paths: tuple[str, ...]) -> None:
        self.plan = plan
        self.paths = paths
        super().__init__(f"{plan} cannot be reverted by itself: conflicts in {', '.join(paths[:5])}")


def revert(bench: Workbench, plan: str) -> Entry:
    """Queue a commit that undoes the newest landing of ``plan``.

    Raises NothingToDoError when nothing of it is on the target, RevertConflictError when it does not come
    out cleanly.
    """
    tip = bench.target_tip()
    old, new = _landing(bench, plan, tip)
    merged = merge_trees(bench.git, bench.objects, tip, old, base=new)
    if isinstance(merged, Conflicted):
        raise RevertConflictError(plan, merged.paths)
    if merged.tree == bench.objects.tree_of(tip):
        raise NothingToDoError(f"what {plan} landed is not there any more")
    message = f"Revert plan '{plan}'\n\nThis undoes {new}."
    commit = bench.git.run("commit-tree", merged.tree, "-p", tip, "-m", message, writes=True).text
    branch = f"revert/{plan}"
    _point(bench, branch_reference(branch), commit)
    work = Work(target=bench.target, branch=branch, head=commit, base=tip, priority=100)
    return submit(bench.store, bench.clock, work)


def _landing(bench: Workbench, plan: str, tip: str) -> tuple[str, str]:
    """The target before and after the newest landing of ``plan``; a rebase may lie between as many commits."""
    landed = {*landed_commits(bench, plan, tip)}
    entries = {e.id for e in bench.store.entries(states={EntryState.LANDED}) if e.plan == plan}
    intents = [i for i in bench.store.intents({IntentState.DONE}) if i.entry in entries and i.new in landed]
    if intents:
        return intents[-1].old, intents[-1].new
    if not landed:
        raise NothingToDoError(f"nothing of {plan} is on the target")
    newest = next(c for c in bench.objects.commits(tip) if c in landed)
    return bench.objects.parents(newest)[0], newest


def _point(bench: Workbench, reference: str, commit: str) -> None:
    old = bench.references.read(reference)
    change = Update(reference, commit, old) if old else Create(reference, commit)
    bench.references.transact([change], message="planctl: revert", step="revert.branch")
