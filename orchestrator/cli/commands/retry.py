"""``planctl retry``."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option
from orchestrator.cli.exits import DONE


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
    running. The hold of one that waits for the end of a rate limit ends at once.
    """
    from orchestrator.cli.display.conducting import Stand, resume_run  # noqa: PLC0415 - as above
    from orchestrator.cli.display.interrupts import Interrupts  # noqa: PLC0415 - as above
    from orchestrator.services.retrying import choose_failed, end_holds, renew  # noqa: PLC0415 - as above

    if bool(plans) == failed:
        raise click.UsageError("name plans, or give --failed")
    with (
        Interrupts() as interrupts,
        invocation.working("run") as (bench, session),
    ):
        released = end_holds(bench, plans)
        rest = [plan for plan in plans if plan not in released]
        if released and not rest:
            return _say_released(invocation, released)
        retry = choose_failed(bench, rest, Path.cwd())

        def also() -> None:
            renew(bench, retry, continue_=continue_)

        return resume_run(Stand(invocation.output, bench, session, interrupts), retry.run, also)


def _say_released(invocation: Invocation, plans: tuple[str, ...]) -> int:
    if invocation.as_json:
        invocation.output.data({"released": list(plans)})
    for plan in plans:
        invocation.output.text(f"{plan} waits no longer: its run goes on with it")
    return DONE
