"""``planctl resume``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option
from plans.drawing.escape import one_line


@click.command("resume", cls=Command)
@click.argument("run", required=False, metavar="[RUN]")
@remote_option
@pass_invocation
def command(invocation: Invocation, run: str | None) -> int:
    """Go on with RUN (an id or its beginning), or the newest run that was interrupted.

    Commands that are still at work are watched again; those that were interrupted run again. A
    `rescue restore` that was cut short is taken back.
    """
    from orchestrator.cli.display.conducting import Stand, resume_run  # noqa: PLC0415 - as above
    from orchestrator.cli.display.interrupts import Interrupts  # noqa: PLC0415 - as above
    from orchestrator.errors import NothingToDoError  # noqa: PLC0415 - as above
    from orchestrator.services.restores import take_back_restores  # noqa: PLC0415 - as above
    from orchestrator.services.resuming import interrupted_run  # noqa: PLC0415 - as above

    with (
        Interrupts() as interrupts,
        invocation.working("run") as (bench, session),
    ):
        afterwards = take_back_restores(bench, tell=invocation.output.error)
        for line in afterwards.lines:
            invocation.output.error(one_line(line))
        try:
            interrupted = interrupted_run(bench, run)
        except NothingToDoError:
            if not afterwards.taken_back or run is not None:
                raise
            return 0
        return resume_run(Stand(invocation.output, bench, session, interrupts), interrupted)
