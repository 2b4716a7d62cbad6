"""``planctl stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench


@click.command("stop", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--run", metavar="RUN", help="End this run (its id, or the beginning of it) in order.")
@pass_invocation
def command(invocation: Invocation, plans: tuple[str, ...], run: str | None) -> int:
    """Stop PLANs, or a whole run, from any process; without either, the only run that is active.

    A command at work is ended with its whole tree; its work stays in its worktree. A resolver at
    its conflict is called off. Exit 1 when nothing of what was named was at work or waiting.
    """
    from orchestrator.bootstrap import working  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.pointers import plan_id  # noqa: PLC0415 - as above

    if plans and run:
        raise click.UsageError("name plans or a run, not both")
    ids = [plan_id(invocation.repository, plan) for plan in plans]
    with working(invocation.repository, "stop", tell=invocation.output.error) as (bench, session):
        return _stop_plans(invocation, bench, session, ids) if ids else _stop_run(invocation, bench, run)


def _stop_plans(invocation: Invocation, bench: Workbench, session: SessionHandle, ids: Sequence[str]) -> int:
    from orchestrator.services.stop import stop_plans  # noqa: PLC0415 - as above

    stopped = stop_plans(bench, session, ids)
    idle = [plan for plan in dict.fromkeys(ids) if plan not in stopped]
    if invocation.as_json:
        invocation.output.data({"stopped": list(stopped), "not_at_work": idle})
    for plan in stopped:
        invocation.output.text(f"stopped {plan}")
    for plan in idle:
        invocation.output.note(f"nothing of {plan} is at work or waiting")
    return DONE if stopped else NO


def _stop_run(invocation: Invocation, bench: Workbench, name: str | None) -> int:
    from orchestrator.services.stop import require_run, stop_run  # noqa: PLC0415 - as above
    from orchestrator.states import RunState  # noqa: PLC0415 - as above

    run = require_run(bench, name)
    asked, stopped = stop_run(bench, run)
    if invocation.as_json:
        invocation.output.data({"run": run.id, "asked": asked, "stopped": list(stopped)})
    for plan in stopped:
        invocation.output.text(f"stopped {plan}")
    if asked:
        invocation.output.text(f"asked the process of run {run.id} to end it")
    elif run.state is RunState.ACTIVE:
        invocation.output.text(f"nothing conducted run {run.id}; `planctl resume {run.id}` goes on")
    else:
        invocation.output.note(f"run {run.id} is {run.state}")
    return DONE if asked or stopped or run.state is RunState.ACTIVE else NO
