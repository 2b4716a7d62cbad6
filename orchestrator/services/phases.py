"""Complete a phase by hand, or by the agent that works on it: commit, pin, record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.scheduling.finishing import commit_work, complete_phase
from orchestrator.scheduling.freeze import thaw
from orchestrator.states import AttemptState
from orchestrator.store.records import PhaseDone
from plans.ids import PhaseId, PlanId
from worktrees.leftovers import HeadMoved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Phase, Plan
    from worktrees.repository import Repository

_WHOLE: Final = frozenset({AttemptState.FINISHED, AttemptState.QUEUED, AttemptState.LANDED})


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


@dataclass(frozen=True, slots=True)
class PhaseLine:
    """One phase of a plan; ``done`` is None while it is open."""

    plan: str
    phase: str
    title: str
    done: PhaseDone | None


def phase_lines(store: Store, declared: Mapping[str, Plan], wanted: str | None) -> list[PhaseLine]:
    """The phases of one plan, or of all: those that plan files declare, and completed ones beyond these."""
    done = {(d.plan, d.phase): d for d in store.phases_done(wanted)}
    whole = {a.plan: a for a in store.latest_attempts() if a.state in _WHOLE}
    lines = [
        PhaseLine(
            name, phase.id, phase.title, done.pop((name, phase.id), None) or _by_end(phase, plan, whole)
        )
        for name, plan in declared.items()
        for phase in plan.phases
        if wanted in (None, name)
    ]
    lines += [PhaseLine(d.plan, d.phase, "", d) for d in done.values()]
    return sorted(lines, key=lambda line: line.plan)


def _by_end(phase: Phase, plan: Plan, whole: Mapping[str, Attempt]) -> PhaseDone | None:
    """A phase that nobody completed by itself is complete with all of its plan: the same text."""
    attempt = whole.get(plan.id)
    if attempt is None or attempt.digest != plan.digest or attempt.head is None:
        return None
    return PhaseDone(plan.id, phase.id, attempt.id, attempt.head, attempt.finished_at or attempt.created_at)


def declared_plans(repository: Repository) -> dict[str, Plan]:
    """The plans of the plan files of the worktree, as far as these can be read."""
    from orchestrator.services.plans import load_plans  # noqa: PLC0415 - YAML, for this alone
    from orchestrator.settings import working_settings  # noqa: PLC0415 - as above

    if repository.top is None:
        return {}
    catalog = load_plans(repository, working_settings(repository), ())
    return {plan.id: plan for plan in catalog.plans.values()}
