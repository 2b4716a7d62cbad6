"""``planctl merge``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option
from orchestrator.cli.exits import DONE, NO
from orchestrator.errors import UsageError
from plans.effects import step, write_atomic

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.services.merge import Merged

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command("merge", cls=Command)
@click.argument("names", nargs=-1, metavar="[PLAN|BRANCH]...")
@click.option("--finished", is_flag=True, help="Everything that plans have finished and nobody has landed.")
@click.option(
    "--branches",
    multiple=True,
    metavar="PATTERN",
    help="Every branch that matches, as plan/*, and has commits that the target has not.",
)
@click.option(
    "--wait",
    "patience",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long for another worker of the queue, then exit 4; without it, as long as it lives.",
)
@click.option("--check", metavar="CMD", help="Check the merged result with this command line.")
@click.option("--allow-policy-change", is_flag=True, help="Let these change what guards the target.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write what became of each as JUnit XML.")
@click.option("--summary", type=_FILE, metavar="FILE", help="Write it as a table in Markdown.")
@remote_option
@pass_invocation
def command(invocation: Invocation, /, check: str | None, **options: Any) -> int:
    """Queue finished work of plans, or branches by name, land it, and say what became of each.

    For CI: it works beside other processes that do the same, and waits while one of them lands. Exit 0 when
    all have landed, else 1.
    """
    from orchestrator.cli.commands.queue import with_check  # noqa: PLC0415 - as above
    from orchestrator.cli.display.entries import QueueFeed, show_ended  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import interruptible  # noqa: PLC0415 - as above
    from orchestrator.services import merge  # noqa: PLC0415 - as above

    files = _Files(options.pop("junit"), options.pop("summary"))
    files.require_folders()
    request = merge.Request(**options)
    output = invocation.output
    with (
        interruptible() as cancel,
        invocation.working("queue", override=with_check(check)) as (bench, session),
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
        output.note(_said(merged))
    files.write(merged, output)
    return DONE if merged.succeeded else NO


@dataclass(frozen=True, slots=True)
class _Files:
    """Where reports go, beside what GitHub Actions shows of its own."""

    junit: Path | None
    summary: Path | None

    def require_folders(self) -> None:
        """Raise UsageError, before anything lands, where a report could not be written in the end."""
        for file in filter(None, (self.junit, self.summary)):
            if not file.parent.is_dir():
                raise UsageError(f"{file} cannot be written: there is no folder {file.parent}")
            if not os.access(file.parent, os.W_OK | os.X_OK):
                raise UsageError(f"{file} cannot be written: {file.parent} may not be written to")

    def write(self, merged: Merged, output: Output) -> None:
        """Raises OSError."""
        from orchestrator.cli.display import githubactions, mergereport  # noqa: PLC0415 - as above

        summary = mergereport.summary(merged)
        if self.junit:
            with step("ci.junit"):
                write_atomic(self.junit, mergereport.junit(merged))
        if self.summary:
            with step("ci.markdown"):
                write_atomic(self.summary, summary.encode())
        if githubactions.is_on(os.environ):
            githubactions.add_summary(summary, os.environ)
            for line in () if output.as_json else mergereport.commands(merged):
                output.text(line)


def _said(merged: Merged) -> str:
    left = f"; left out, still at work: {', '.join(merged.at_work)}" if merged.at_work else ""
    odd = f"; left out, names that are not UTF-8: {', '.join(merged.not_text)}" if merged.not_text else ""
    return f"{len(merged.landed)} of {len(merged.entries)} landed{left}{odd}"
