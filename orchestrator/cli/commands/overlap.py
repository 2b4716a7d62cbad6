"""``planctl overlap``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.forecasts import show_forecast
from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.output import Output
    from plans.ids import PlanId
    from plans.overlap import Overlap, OverlapReport
    from plans.predict import Guess

_SHOWN: Final = 5
_SEVERITIES: Final = ("high", "medium")
_MEANING: Final = {
    "write-write": "both write",
    "write-read": "{a} writes what {b} reads",
    "read-write": "{b} writes what {a} reads",
}


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
    listed as proximity and never fail, and neither does what only a plan's text suggests. Without PLAN (an id
    or a path), all plans.

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
    if explain:
        report = overlaps.explain_pair(invocation.repository, git, explain, here, compared)
    else:
        report = overlaps.overlaps_of(invocation.repository, git, plans, here, compared)
    if invocation.as_json:
        invocation.output.data(overlaps.report_data(report))
    else:
        _show(report, invocation.output, everything=bool(explain))
    threshold = OverlapSeverity(fail_on)
    return NO if any(overlaps.is_at_least(o.severity, threshold) for o in report.overlaps) else DONE


def _show(report: OverlapReport, output: Output, *, everything: bool) -> None:
    for overlap in report.overlaps:
        _show_one(overlap, output, everything=everything)
    for met in report.hot:
        output.text(
            one_line(met.path), f": a hot file, written by {len(met.plans)} plans: none waits for that"
        )
    for near in report.proximity:
        output.text(f"{near.a} and {near.b}: proximity, both work in ", one_line(near.folder or "/"))
    if report.unknown:
        output.text("no files declared, so nothing is known of: ", ", ".join(report.unknown))
    for plan, guesses in report.guesses.items():
        _show_guesses(plan, guesses, output, most=len(guesses) if everything else _SHOWN)
    for overlap in report.possible:
        meaning = _MEANING[overlap.kind].format(a=overlap.a, b=overlap.b)
        output.text(
            f"{overlap.a} and {overlap.b}: possible by what is predicted, {meaning}: ", _where(overlap)
        )
    count = len(report.overlaps)
    output.note(f"{len(report.plans)} plans: {count or 'no'} overlap{'s' * (count != 1)}")


def _show_guesses(plan: PlanId, guesses: Sequence[Guess], output: Output, *, most: int) -> None:
    """What the plan's text names in one line; what history adds in one each, with what it rests on."""
    named = [guess.pattern for guess in guesses if guess.because is None]
    if named:
        more = f" and {len(named) - most} more" if len(named) > most else ""
        output.text(f"the text of {plan} names ", one_line(", ".join(named[:most])), more)
    rules = [guess.because for guess in guesses if guess.because is not None]
    for rule in rules[:most]:
        of = f" ({rule.support} of {rule.commits} commits)"
        output.text(f"{plan}: with ", one_line(rule.given), " changes ", one_line(rule.then), of)
    if len(rules) > most:
        output.text(f"{plan}: … {len(rules) - most} more files that change together")


def _where(overlap: Overlap) -> str:
    undecided = "not decided, so taken as one: the exclusions (!) are too entangled"
    return one_line(overlap.witness) if overlap.witness else undecided


def _show_one(overlap: Overlap, output: Output, *, everything: bool) -> None:
    colour = Colour.RED if overlap.severity == "high" else Colour.YELLOW
    meaning = _MEANING[overlap.kind].format(a=overlap.a, b=overlap.b)
    output.text(f"{overlap.a} and {overlap.b}: ", (overlap.severity, colour), f", {meaning}")
    output.text("  both match: " if overlap.witness else "  ", _where(overlap))
    for plan, pattern in zip((overlap.a, overlap.b), overlap.patterns, strict=True):
        output.text(f"  {plan}: ", one_line(pattern))
    files = overlap.files if everything else overlap.files[:_SHOWN]
    for path in files:
        output.text("  existing: ", one_line(path))
    if overlap.files_total > len(files):
        output.text(f"  … {overlap.files_total - len(files)} more existing files")
    output.text(f"  advice: {overlap.advice}")
