"""``planctl overlap``."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.display import githubactions
from orchestrator.cli.display.overlaps import advice, meaning, show_overlaps, where
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.forecasts import show_forecast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.cli.output import Output
    from orchestrator.services.overlaps import Found
    from orchestrator.store.protocol import Store
    from plans.overlap import OverlapSeverity

_SEVERITIES: Final = ("high", "medium")


@click.command("overlap", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--against", metavar="REV", help="Name existing files of this revision, not the tracked ones.")
@click.option(
    "--ignore-case/--no-ignore-case",
    default=None,
    help="Whether A.py and a.py are one file; by default as git's core.ignoreCase says.",
)
@click.option("--live", is_flag=True, help="Compare branches at work as they are now, edits included.")
@click.option("--explain", nargs=2, metavar="A B", help="Two plans alone, with everything they share.")
@click.option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    default="high",
    show_default=True,
    help="Exit 1 when an overlap of this severity or above exists.",
)
@pass_invocation
def command(
    invocation: Invocation,
    /,
    *,
    plans: tuple[str, ...],
    live: bool,
    explain: tuple[str, str] | None,
    fail_on: str,
    **comparison: Any,
) -> int:
    """Report plans that would touch the same files, each with a path that both really match.

    Severity high: both write. Medium: one reads what the other writes. Plans that only share a folder are
    listed as proximity and never fail, and neither does what only a plan's text suggests, nor files that a
    session has reserved, for which a plan would wait. Without PLAN (an id or a path), all plans.

    With --live: whether the branches of plans at work would merge with each other now, uncommitted edits
    included. A conflict has severity high, a pair that cannot be compared medium.
    """
    from orchestrator.services import overlaps  # noqa: PLC0415 - `--help` does without
    from plans.overlap import OverlapSeverity  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above

    if explain and plans:
        raise click.UsageError("--explain names its two plans itself; take the other PLANs away")
    compared = overlaps.Compared(**comparison)
    if live and compared.against is not None:
        raise click.UsageError("--live compares branches at work, --against declared files; give one of them")
    if live and compared.ignore_case is not None:
        raise click.UsageError("--live compares what branches hold, where case counts; take it away")
    if live:
        return show_forecast(invocation, plans, explain, fail_on)
    git, here = Git(invocation.repository), Path.cwd()
    with _books(invocation) as store:
        compared = replace(compared, store=store)
        if explain:
            found = overlaps.explain_pair(invocation.repository, git, explain, here, compared)
        else:
            found = overlaps.overlaps_of(invocation.repository, git, plans, here, compared)
    if invocation.as_json:
        invocation.output.data(overlaps.report_data(found.report, found.first, found.reserved))
    else:
        show_overlaps(found, invocation.output, everything=bool(explain))
    threshold = OverlapSeverity(fail_on)
    if githubactions.is_on(os.environ):
        _tell_ci(found, threshold, invocation.output)
    return NO if any(overlaps.is_at_least(o.severity, threshold) for o in found.report.overlaps) else DONE


@contextlib.contextmanager
def _books(invocation: Invocation) -> Iterator[Store | None]:
    """The store, which knows of reservations; what plans declare is compared all the same without."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - as in the command
    from orchestrator.errors import StoreUnusableError  # noqa: PLC0415 - as above

    try:
        store = open_readonly_store(invocation.repository)
    except StoreUnusableError as error:
        invocation.output.note(f"what sessions have reserved is not told: {error}")
        yield None
        return
    with contextlib.closing(store):
        yield store


def _tell_ci(found: Found, fail_on: OverlapSeverity, output: Output) -> None:
    """In a step of GitHub Actions: annotations at the plan that has to wait, and a table in the summary."""
    from orchestrator.services.overlaps import is_at_least  # noqa: PLC0415 - as in the command

    overlaps = found.report.overlaps
    for overlap in overlaps[: githubactions.MOST_ANNOTATIONS]:
        first = found.first.get((overlap.a, overlap.b))
        plan = overlap.b if first is None or first.plan == overlap.a else overlap.a
        level = "error" if is_at_least(overlap.severity, fail_on) else "warning"
        said = f"{meaning(overlap)}: {where(overlap)}; {advice(overlap, found)}"
        title = f"{overlap.a} and {overlap.b} overlap"
        output.text(githubactions.annotation(level, found.paths[plan], title, said))
    rows = [(o.a, o.b, o.severity, meaning(o), where(o), advice(o, found)) for o in overlaps]
    head = ("plan", "plan", "severity", "", "both match", "advice")
    count = f"### planctl overlap: {len(overlaps) or 'no'} overlaps of {len(found.report.plans)} plans\n\n"
    try:
        githubactions.add_summary(count + (githubactions.table(head, rows) if rows else ""), os.environ)
    except OSError as error:
        output.note(f"the summary of the job cannot be written: {error}")
