"""``planctl phase``: phases of a plan."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from orchestrator.cli.choosing import chosen_plan, plan_option
from orchestrator.cli.context import Group, Invocation, pass_invocation
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.services.phases import PhaseLine


@click.group("phase", cls=Group)
def command() -> None:
    """Complete a phase of a plan, or list the phases."""


@command.command("complete")
@click.argument("phase", metavar="PHASE")
@plan_option
@pass_invocation
def complete(invocation: Invocation, phase: str, named: str | None) -> None:
    """Complete PHASE of a plan at work: commit what is in its worktree, and pin it for plans that wait."""
    from orchestrator.bootstrap import working  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import phases  # noqa: PLC0415 - as above
    from plans.ids import PhaseId  # noqa: PLC0415 - as above

    plan, key = chosen_plan(invocation, None, named), PhaseId.parse(phase)
    with working(invocation.repository, "phase", tell=invocation.output.error) as (bench, _):
        commit = phases.complete(bench, plan, key)
    if invocation.as_json:
        invocation.output.data({"plan": plan, "phase": key, "commit": commit})
    else:
        invocation.output.text(f"phase {key} of {plan} is complete at {commit[:12]}")


@command.command("list")
@click.argument("plan", metavar="[PLAN]", required=False)
@plan_option
@pass_invocation
def show(invocation: Invocation, plan: str | None, named: str | None) -> None:
    """List the phases of PLAN, without PLAN of all plans, and which are complete."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import phases  # noqa: PLC0415 - as above

    repository = invocation.repository
    wanted = chosen_plan(invocation, plan, named) if plan or named else None
    with contextlib.closing(open_readonly_store(repository)) as store:
        lines = phases.phase_lines(store, phases.declared_plans(repository), wanted)
    if invocation.as_json:
        invocation.output.data({"phases": [_data(line) for line in lines]})
        return
    for line in lines:
        state = f"complete at {line.done.commit[:12]}" if line.done else "open"
        title = f"  {line.title}" if line.title else ""
        invocation.output.text(f"{line.plan} {line.phase}: {state}", one_line(title))
    if not lines:
        invocation.output.note("no phases")


def _data(line: PhaseLine) -> dict[str, object]:
    done = line.done
    return {
        "plan": line.plan,
        "phase": line.phase,
        "title": line.title,
        "state": "complete" if done else "open",
        "attempt": done.attempt if done else None,
        "commit": done.commit if done else None,
        "at": done.at if done else None,
    }
