"""``planctl merge``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO


@click.command("merge", cls=Command)
@click.argument("names", nargs=-1, metavar="[PLAN|BRANCH]...")
@click.option("--finished", is_flag=True, help="Everything that plans have finished and nobody has landed.")
@click.option(
    "--wait",
    "patience",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long for another worker of the queue, then exit 4; without it, as long as it lives.",
)
@click.option("--check", metavar="CMD", help="Check the merged result with this command line.")
@click.option("--allow-policy-change", is_flag=True, help="Let these change what guards the target.")
@pass_invocation
def command(
    invocation: Invocation,
    names: tuple[str, ...],
    patience: float | None,
    check: str | None,
    *,
    finished: bool,
    allow_policy_change: bool,
) -> int:
    """Queue finished work of plans, or branches by name, land it, and say what became of each.

    For CI: it works beside other processes that do the same, and waits while one of them lands. Exit 0 when
    all have landed, else 1.
    """
    from orchestrator.bootstrap import working  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.commands.queue import with_check  # noqa: PLC0415 - as above
    from orchestrator.cli.display.entries import QueueFeed, show_ended  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import interruptible  # noqa: PLC0415 - as above
    from orchestrator.services import merge  # noqa: PLC0415 - as above

    request = merge.Request(names, finished, patience, allow_policy_change)
    output = invocation.output
    with (
        interruptible() as cancel,
        working(invocation.repository, "queue", override=with_check(check), tell=invocation.output.error) as (
            bench,
            session,
        ),
    ):
        feed = QueueFeed(output, bench.store)
        feed.skip()

        def show() -> None:
            if not output.as_json:
                feed.show()

        merged = merge.merge(bench, session, request, cancel=cancel, on_change=show)
        show()
        if output.as_json:
            output.document(merge.merged_json(bench, merged))
    if not output.as_json:
        for entry in merged.entries:
            show_ended(output, entry, is_landed=entry.id in merged.landed)
        output.note(f"{len(merged.landed)} of {len(merged.entries)} landed")
    return DONE if merged.succeeded else NO
