"""What a plan's outputs folder says of its newest attempt: ``status.json`` and ``timestamps/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.running.outputs import PlanOutputs, default_root
from orchestrator.states import AttemptState
from plans.ids import PlanId

if TYPE_CHECKING:
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench

_ENDED = frozenset({AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.CANCELLED, AttemptState.LOST})


def outputs_of(bench: Workbench, plan: PlanId) -> PlanOutputs:
    """The outputs of ``plan``, in the configured folder or inside planctl's own."""
    configured, top = bench.settings.project.outputs, bench.repository.primary_top
    own = default_root(bench.repository.state_dir)
    root = (top or bench.repository.common_dir) / configured if configured else own
    return PlanOutputs.of(root, plan)


def publish(bench: Workbench, attempt: Attempt) -> None:
    """Write what the store says of ``attempt`` for people and programs; doing it again changes nothing.

    The folder is the plan's to write in, too: where it does not let itself be written, that is an event,
    and nothing of the run depends on it.
    """
    outputs = outputs_of(bench, PlanId(attempt.plan))
    try:
        outputs.prepare()
        outputs.write_status(_status(attempt))
        for name, at in _moments(bench, attempt).items():
            outputs.stamp(name, at)
    except OSError as error:
        bench.store.emit(
            EventName.OUTPUTS_FAILED,
            at=bench.clock.now(),
            run=attempt.run,
            plan=attempt.plan,
            detail=str(error),
        )


def _status(attempt: Attempt) -> dict[str, object]:
    return {
        "plan": attempt.plan,
        "run": attempt.run,
        "attempt": attempt.id,
        "number": attempt.number,
        "state": str(attempt.state),
        "reason": dict(attempt.reason),
        "branch": attempt.branch,
        "worktree": attempt.worktree,
        "base": attempt.base,
        "stacked_on": list(attempt.stacked_on),
        "head": attempt.head,
        "exit_code": attempt.exit_code,
        "drift": list(attempt.drift),
        "landed_commit": attempt.landed_commit,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
    }


def _moments(bench: Workbench, attempt: Attempt) -> dict[str, str]:
    found = {"created": attempt.created_at, "started": attempt.started_at}
    if attempt.finished_at:
        found["failed" if attempt.state in _ENDED else "finished"] = attempt.finished_at
    if attempt.state is AttemptState.LANDED:
        entry = bench.store.entry(attempt.entry or "")
        found["landed"] = (entry.finished_at if entry else None) or attempt.finished_at
    return {name: at for name, at in found.items() if at}
