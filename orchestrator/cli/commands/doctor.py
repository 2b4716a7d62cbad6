"""``planctl doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.services.doctor import Report
    from orchestrator.store.protocol import Store
    from worktrees.repository import Repository

    Look = Callable[[Repository, Callable[[], Store], frozenset[str]], Report]


@click.command("doctor", cls=Command)
@click.option("--fix", is_flag=True, help="Mend what can be mended without a person; destroys no work.")
@click.option("--orphans", is_flag=True, help="Look only for what earlier tools left, by `orphans:`.")
@click.option("--yes", "-y", is_flag=True, help="With --fix on a terminal: do not ask.")
@pass_invocation
def command(invocation: Invocation, *, fix: bool, orphans: bool, yes: bool) -> int:
    """Look for what is broken or left over: git, store, sessions, runs, processes, worktrees, locks, queue.

    Changes nothing without --fix, which asks first when a person is at the terminal. Exit 1 when an error is
    left; warnings and hints do not count. With --verbose, hints and what is well are shown, too.
    """
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.doctor import NOBODY, report_data  # noqa: PLC0415 - as above

    if yes and not fix:
        raise click.UsageError("--yes goes with --fix")
    repository, output, look = invocation.repository, invocation.output, _look(orphans=orphans)
    report = look(repository, lambda: open_readonly_store(repository), NOBODY)
    asked = bool(report.curable) and output.can_ask() and not yes
    agreed = _agreed(invocation, report, orphans=orphans) if asked else fix
    if agreed and report.curable:
        report = _mended(repository, report, look, orphans=orphans)
    elif asked:
        return DONE if report.is_healthy else NO  # it was shown with the question
    if invocation.as_json:
        output.data(report_data(report))
    else:
        from orchestrator.cli.display.doctor import show, show_options  # noqa: PLC0415 - as above

        show(report, output)
        if not agreed:
            show_options(report, output, _again(orphans=orphans))
    return DONE if report.is_healthy else NO


def _agreed(invocation: Invocation, report: Report, *, orphans: bool) -> bool:
    """Show what there is to mend to whoever sits there, and ask."""
    from orchestrator.cli.display.doctor import show, show_options  # noqa: PLC0415 - as above

    output, count = invocation.output, len(report.curable)
    show(report, output)
    show_options(report, output, _again(orphans=orphans))
    return output.ask(f"Mend {'this' if count == 1 else f'these {count}'} now?")


def _again(*, orphans: bool) -> str:
    return f"planctl doctor {'--orphans ' if orphans else ''}--fix"


def _look(*, orphans: bool) -> Look:
    from orchestrator.services.doctor import examine, examine_orphans  # noqa: PLC0415 - as above

    return examine_orphans if orphans else examine


def _mended(repository: Repository, first: Report, look: Look, *, orphans: bool) -> Report:
    """Cured, and examined again by ``look``, which is told whose session the cure was made in.

    The second look is at the store itself, which is open here.

    Of orphans exactly those that were shown: a pattern is no reason to go further than was agreed to.
    """
    from orchestrator.bootstrap import working  # noqa: PLC0415 - as above
    from orchestrator.services.doctor import ROUNDS, cure  # noqa: PLC0415 - as above

    with working(repository, "doctor") as (bench, session):
        rounds, own = 1 if orphans else ROUNDS, frozenset({session.id})
        return cure(first, bench, session, lambda: look(repository, bench.stores, own), rounds)
