"""``planctl retry``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation


@click.command("retry", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--failed", is_flag=True, help="Every plan that failed in the newest run with failures.")
@click.option("--continue", "continue_", is_flag=True, help="Start on the head of the old branch.")
@pass_invocation
def command(invocation: Invocation, plans: tuple[str, ...], *, failed: bool, continue_: bool) -> int:
    """Do again PLANs that failed: from a fresh base, those that were passed over because of them too.

    A conflicted or rejected plan is queued anew, at its old age, without running.
    """
    from orchestrator.bootstrap import working  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.display.conducting import resume_run  # noqa: PLC0415 - as above
    from orchestrator.services.resuming import retry_plans  # noqa: PLC0415 - as above

    if bool(plans) == failed:
        raise click.UsageError("name plans, or give --failed")
    with working(invocation.repository, "run") as (bench, session):
        run, _ = retry_plans(bench, plans, every_failed=failed, continue_=continue_)
        return resume_run(invocation.output, bench, session, run)
