"""``planctl retry``."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option


@click.command("retry", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--failed", is_flag=True, help="Every plan that failed in the newest run with failures.")
@click.option("--continue", "continue_", is_flag=True, help="Start on the head of the old branch.")
@remote_option
@pass_invocation
def command(invocation: Invocation, plans: tuple[str, ...], *, failed: bool, continue_: bool) -> int:
    """Do again PLANs (ids or paths) that failed, and those that were passed over because of them.

    Each starts from a fresh base, with the plan file as it was when the run began; run a plan file that you
    have changed with `run-multi`. A conflicted or rejected plan is queued anew, at its old age, without
    running.
    """
    from orchestrator.cli.display.conducting import Stand, resume_run  # noqa: PLC0415 - as above
    from orchestrator.cli.display.interrupts import Interrupts  # noqa: PLC0415 - as above
    from orchestrator.services.retrying import choose_failed, renew  # noqa: PLC0415 - as above

    if bool(plans) == failed:
        raise click.UsageError("name plans, or give --failed")
    with (
        Interrupts() as interrupts,
        invocation.working("run") as (bench, session),
    ):
        retry = choose_failed(bench, plans, Path.cwd())

        def also() -> None:
            renew(bench, retry, continue_=continue_)

        return resume_run(Stand(invocation.output, bench, session, interrupts), retry.run, also)
