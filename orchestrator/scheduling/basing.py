"""The commit that a plan starts from.

- Everything it waited for has landed: the target's tip (or the plan's ``base``), and it is asserted that
  each of those landings is an ancestor of it.
- Stacked on work that has not landed (a phase, or ``finished``): the merge of that commit with the pinned
  work, in the order of the dependencies. Such a base is written as a commit that only this plan refers to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.settings import hot_of
from orchestrator.submitting.landed import landed_commits
from plans.effects import step
from plans.errors import PlanctlError
from plans.model import Until
from worktrees.merge import Conflicted
from worktrees.mergehot import merge_hot

if TYPE_CHECKING:
    from orchestrator.scheduling.view import View
    from orchestrator.workbench import Workbench
    from plans.ids import PlanId
    from plans.model import Dependency, Plan

PHASES: Final = "refs/planctl/phases"
FINISHED: Final = "finished"
"""The name under which a plan's whole finished work is pinned, beside its phases."""


class LandingUndoneError(PlanctlError):
    """A dependency has landed, and yet its commit is not part of the base."""

    def __init__(self, plan: str, commit: str, base: str) -> None:
        self.plan = plan
        self.commit = commit
        self.base = base
        super().__init__(f"{plan} landed as {commit[:12]}, which is not part of the base {base[:12]}")


class StackConflictError(PlanctlError):
    """The work that a plan is to be stacked on does not merge with the target."""

    def __init__(self, plan: str, paths: tuple[str, ...]) -> None:
        self.plan = plan
        self.paths = paths
        super().__init__(f"the work of {plan} does not merge with the target: {', '.join(paths[:5])}")


@dataclass(frozen=True, slots=True)
class Base:
    """Where a plan starts: a commit, and the pinned commits that were merged into it."""

    commit: str
    stacked_on: tuple[str, ...] = ()


def find_base(bench: Workbench, view: View, plan: Plan) -> Base:
    """Return the base; raises LandingUndoneError, StackConflictError or UnknownRevisionError."""
    commit = bench.references.resolve(plan.base) if plan.base else bench.target_tip()
    for landed in _needed_landings(view, plan):
        _require_ancestor(bench, view, landed, commit)
    pins = [pin for d in plan.dependencies if (pin := _pin(bench, view, d, commit))]
    for other, pinned in pins:
        commit = _stack(bench, commit, other, pinned)
    return Base(commit, tuple(pinned for _, pinned in pins))


def _needed_landings(view: View, plan: Plan) -> tuple[PlanId, ...]:
    """Plans whose landing this one waited for: dependencies, and overlaps that were put in order."""
    landed = {d.plan for d in plan.dependencies if d.until is Until.LANDED}
    overlaps = {e.before for e in view.graph.predecessors(plan.id) if e.until is Until.LANDED}
    in_run = {p for p, a in view.attempts.items() if a.landed_commit}
    return tuple(sorted(landed | (overlaps & in_run)))


def _require_ancestor(bench: Workbench, view: View, plan: PlanId, base: str) -> None:
    attempt = view.attempts.get(plan)
    if attempt and attempt.landed_commit:
        commits: tuple[str, ...] = (attempt.landed_commit,)
    else:
        commits = landed_commits(bench, plan, base)
    for commit in commits:
        if not bench.objects.is_ancestor(commit, base):
            raise LandingUndoneError(plan, commit, base)
    if not commits:
        raise LandingUndoneError(plan, view.landed.get(plan, "?"), base)


def _pin(bench: Workbench, view: View, dependency: Dependency, base: str) -> tuple[str, str] | None:
    """The pinned commit of a stacked dependency, unless that work is part of the base already."""
    if not dependency.is_stacked:
        return None
    attempt = view.attempts.get(dependency.plan)
    pinned = view.phases.get((dependency.plan, dependency.phase or ""))
    if pinned is None and attempt is not None:
        pinned = attempt.head  # all of it is done, and so is the phase
    elif pinned is None:
        pinned = bench.references.read(f"{PHASES}/{dependency.plan}/{dependency.phase or FINISHED}")
    landed = dependency.plan in view.landed or (attempt is not None and attempt.landed_commit is not None)
    if pinned is None or landed or bench.objects.is_ancestor(pinned, base):
        return None
    return dependency.plan, pinned


def _stack(bench: Workbench, ours: str, plan: str, pinned: str) -> str:
    merged = merge_hot(bench.git, bench.objects, ours, pinned, hot_of(bench.settings.project))
    if isinstance(merged, Conflicted):
        raise StackConflictError(plan, merged.paths)
    parents = ("-p", ours, "-p", pinned)
    message = f"Base: the target with the work of {plan}"
    with step("basing.stack"):
        return bench.git.run("commit-tree", merged.tree, *parents, "-m", message, writes=True).text
