"""``planctl revert``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option
from orchestrator.cli.exits import DONE, NO


@click.command("revert", cls=Command)
@click.argument("plan", metavar="PLAN")
@click.option(
    "--wait",
    "patience",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long for another worker of the queue, then exit 4; without it, as long as it lives.",
)
@remote_option
@pass_invocation
def command(invocation: Invocation, plan: str, patience: float | None) -> int:
    """Undo what PLAN landed last, by a commit that goes through the queue and its checks.

    Exit 0 when it has landed, else 1. The plan may land again with new work.
    """
    from orchestrator.cli.display.entries import show_ended  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import interruptible  # noqa: PLC0415 - as above
    from orchestrator.services.merge import finish, merged_json  # noqa: PLC0415 - as above
    from orchestrator.services.revert import revert  # noqa: PLC0415 - as above

    with (
        interruptible() as cancel,
        invocation.working("queue") as (bench, session),
    ):
        entry = revert(bench, plan)
        merged = finish(bench, session, [entry], cancel=cancel, patience=patience)
        if invocation.as_json:
            invocation.output.document(merged_json(bench, merged))
        else:
            show_ended(invocation.output, merged.entries[0], is_landed=merged.succeeded)
    return DONE if merged.succeeded else NO
