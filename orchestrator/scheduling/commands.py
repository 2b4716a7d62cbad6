"""Which commands an attempt runs, one after another, and as which argv: decided from the plan alone.

A plan whose phases have a ``run`` of their own runs those in order, each completing its phase; the plan's
own ``run``, if there is one, comes last. A plan without any is only prepared.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.running.spec import shell_argv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plans.ids import PhaseId
    from plans.model import Plan, Run

_PLACE: Final = re.compile(r"\{(prompt|plan|plan_file|worktree)\}")


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of an attempt; ``phase`` is the one that it completes, None for the whole plan."""

    phase: PhaseId | None
    run: Run


def stages(plan: Plan) -> tuple[Stage, ...]:
    """The commands of a plan in the order in which they run."""
    phases = tuple(Stage(phase.id, phase.run) for phase in plan.phases if phase.run)
    return (*phases, Stage(None, plan.run)) if plan.run else phases


def argv_of(
    stage: Stage, plan: Plan, agents: Mapping[str, str], places: Mapping[str, str]
) -> tuple[str, ...]:
    """The argv of a stage: the plan's own command line for the shell, or its agent's template.

    A template of ``agents:`` is split into words first, and only then are ``{prompt}``, ``{plan}``,
    ``{plan_file}`` and ``{worktree}`` filled in, so that no text of a plan is ever read by a shell. A
    template without ``{prompt}`` gets the prompt as its last word.
    Raises UsageError for an agent that ``planctl.yaml`` does not know.
    """
    run = stage.run
    if run.command is not None:
        return shell_argv(run.command)
    template = agents.get(run.agent or "")
    if template is None:
        raise UsageError(f"{plan.id}: there is no agent {run.agent!r} in planctl.yaml")
    values = {**places, "plan": plan.id, "prompt": run.prompt or _default_prompt(stage, places)}
    words = shlex.split(template)
    if not any("{prompt}" in word for word in words):
        words.append("{prompt}")
    return tuple(_fill(word, values) for word in words)


def _default_prompt(stage: Stage, places: Mapping[str, str]) -> str:
    part = f"phase {stage.phase} of the plan" if stage.phase else "the plan"
    return f"Carry out {part} in {places.get('plan_file', '')}."


def _fill(word: str, values: Mapping[str, str]) -> str:
    """One pass, so that braces inside a value stay what they are."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), word)
