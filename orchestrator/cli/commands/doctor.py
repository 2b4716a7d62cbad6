"""``planctl doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.output import Colour, Verbosity
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.services.doctor import Report
    from worktrees.repository import Repository

_COLOURS: Final = {"ok": Colour.GREEN, "warn": Colour.YELLOW, "fail": Colour.RED}


@click.command("doctor", cls=Command)
@click.option("--fix", is_flag=True, help="Mend what can be mended without a person; destroys no work.")
@pass_invocation
def command(invocation: Invocation, *, fix: bool) -> int:
    """Look for what is broken or left over: git, store, sessions, runs, processes, worktrees, locks, queue.

    Changes nothing without --fix. Exit 1 when an error is left; warnings and hints do not count. With
    --verbose, hints and what is well are shown, too.
    """
    from orchestrator.services.doctor import report_data  # noqa: PLC0415 - `--help` does without

    report = _fixed(invocation.repository) if fix else _examined(invocation.repository)
    if invocation.as_json:
        invocation.output.data(report_data(report))
    else:
        _show(report, invocation.output)
    return DONE if report.is_healthy else NO


def _examined(repository: Repository) -> Report:
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - as above
    from orchestrator.services.doctor import examine  # noqa: PLC0415 - as above

    return examine(repository, lambda: open_readonly_store(repository))


def _fixed(repository: Repository) -> Report:
    """Examined, cured and examined again; where no work can be begun at all, only examined."""
    from orchestrator.bootstrap import open_readonly_store, working  # noqa: PLC0415 - as above
    from orchestrator.services.doctor import cure, examine  # noqa: PLC0415 - as above

    first = _examined(repository)
    if not any(issue.cure for issue in first.issues):
        return first
    with working(repository, "doctor") as (bench, session):
        return cure(
            first,
            bench,
            session,
            lambda: examine(repository, lambda: open_readonly_store(repository), session.id),
        )


def _show(report: Report, output: Output) -> None:
    verbose = output.verbosity >= Verbosity.VERBOSE
    for check in report.checks:
        if verbose or check.status != "ok":
            output.text(
                (f"{check.status:<4}", _COLOURS[check.status]), f" {check.name}: ", one_line(check.detail)
            )
    hints = 0
    for issue in report.issues:
        fixed = issue.key in report.fixed
        if issue.gravity == "hint" and not fixed and not verbose:
            hints += 1
            continue
        state = " (fixed)" if fixed else " (--fix mends it)" if issue.cure else ""
        line = f"{issue.gravity} {issue.code} {issue.subject}: {issue.detail}"
        output.text("  ", one_line(line), (state, Colour.GREEN) if fixed else state)
    for failure in report.failures:
        output.error(one_line(f"not mended: {failure}"))
    more = f"; {hints} hint{'s' * (hints != 1)} with --verbose" if hints else ""
    output.text(f"{'healthy' if report.is_healthy else 'not healthy'}{more}")
