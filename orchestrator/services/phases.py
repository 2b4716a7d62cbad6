"""Complete a phase by hand, or by the agent that works on it: commit, pin, record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.scheduling.finishing import commit_work, complete_phase
from orchestrator.scheduling.freeze import thaw
from orchestrator.states import AttemptState
from plans.ids import PhaseId, PlanId
from worktrees.leftovers import HeadMoved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Attempt, PhaseDone
    from orchestrator.workbench import Workbench


def complete(bench: Workbench, plan: PlanId, phase: PhaseId) -> str:
    """Commit what is in the plan's worktree, pin it as ``phase``, and return the commit.

    Raises NothingToDoError when the plan is not at work, UsageError for a phase that it does not have.
    """
    attempt = _at_work(bench, plan)
    run = bench.store.run(attempt.run)
    assert run is not None
    known = {p.id for source in thaw(bench, run.frozen) if source.id == plan for p in source.phases}
    if phase not in known:
        raise UsageError(f"{plan} has no phase {phase}; it has {', '.join(sorted(known)) or 'none'}")
    result = commit_work(bench, attempt, f"{plan}: phase {phase}")
    if isinstance(result, HeadMoved):
        raise UsageError(f"the worktree of {plan} is not on {attempt.branch}")
    complete_phase(bench, attempt, phase, result.commit)
    return result.commit


def _at_work(bench: Workbench, plan: str) -> Attempt:
    found = bench.store.attempts(plan=plan, states={AttemptState.RUNNING, AttemptState.PREPARED})
    if not found:
        raise NothingToDoError(f"{plan} is not at work")
    return found[-1]


def completed(bench: Workbench, plan: PlanId | None) -> Sequence[PhaseDone]:
    """The completed phases of one plan, or of all."""
    return bench.store.phases_done(plan)
