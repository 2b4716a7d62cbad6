"""What ``doctor`` has found, for people: checks, then findings by code with what they mean and what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from orchestrator.cli.output import Colour, Verbosity
from orchestrator.services.diagnosis.codes import explained
from orchestrator.services.diagnosis.ward import Gravity
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.cli.output import Output
    from orchestrator.services.diagnosis.ward import Issue
    from orchestrator.services.doctor import Report

_COLOURS: Final = {"ok": Colour.GREEN, "warn": Colour.YELLOW, "fail": Colour.RED}
_MARKS: Final = {"ok": "✓", "warn": "⚠", "fail": "✗"}
_OF_GRAVITY: Final = {Gravity.ERROR: "fail", Gravity.WARNING: "warn", Gravity.HINT: "ok"}
_BY_THEMSELVES: Final = frozenset({"lease-stale", "session-dead"})


def show(report: Report, output: Output) -> None:
    """All of it; with ``--verbose`` hints, and what is well, too."""
    verbose = output.verbosity >= Verbosity.VERBOSE
    for check in report.checks:
        if verbose or check.status != "ok":
            mark = (f"{_mark(check.status)} ", _COLOURS[check.status])
            output.text(mark, f"{check.name}: ", one_line(check.detail))
    for issues in _by_code(report, verbose=verbose):
        _show_code(issues, report, output)
    for failure in report.failures:
        output.error(one_line(f"not mended: {failure}"))
    output.text(_summary(report, verbose=verbose))


def show_options(report: Report, output: Output, again: str) -> None:
    """The choices that are left; ``again`` is the command line that mends."""
    if report.is_healthy and not report.curable:
        return
    options = []
    if report.curable:
        options.append(f"{again}: mends {len(report.curable)} of {len(report.issues)}; no work is lost")
    if output.verbosity < Verbosity.VERBOSE:
        options.append(f"{again.removesuffix(' --fix')} --verbose: shows hints, and what is well")
    if _BY_THEMSELVES & {issue.code for issue in report.issues}:
        options.append("leave it: whoever waits for what the dead hold takes it over by itself")
    output.text("Options:")
    for number, option in enumerate(options, 1):
        output.text(f"  {number}. {option}")


def _mark(status: str) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    return _MARKS[status] if encoding.startswith("utf") else f"{status:<4}"


def _by_code(report: Report, *, verbose: bool) -> Iterator[list[Issue]]:
    found: dict[str, list[Issue]] = {}
    for issue in report.issues:
        if verbose or issue.gravity is not Gravity.HINT or issue.key in report.fixed:
            found.setdefault(issue.code, []).append(issue)
    yield from found.values()


def _show_code(issues: Sequence[Issue], report: Report, output: Output) -> None:
    first = issues[0]
    status, meant = _OF_GRAVITY[first.gravity], explained(first.code)
    mark = (f"{_mark(status)} ", _COLOURS[status] if status != "ok" else Colour.DIM)
    output.text(mark, (first.code, Colour.BOLD), f": {meant.what} ({meant.why})")
    if first.facts:
        _show_table(issues, report, output)
    else:
        for issue in issues:
            fixed = (" (fixed)", Colour.GREEN) if issue.key in report.fixed else ""
            output.text(f"    {one_line(f'{issue.subject}: {issue.detail}')}", fixed)
    if all(issue.key in report.fixed for issue in issues):
        return
    if any(issue.cure for issue in issues) and meant.fix:
        output.text(f"    --fix: {meant.fix}")
    output.text(f"    to do: {meant.do}")


def _show_table(issues: Sequence[Issue], report: Report, output: Output) -> None:
    rows = [tuple(name for name, _ in issues[0].facts)]
    rows += [tuple(one_line(value) for _, value in issue.facts) for issue in issues]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        is_fixed = number > 0 and issues[number - 1].key in report.fixed
        output.text(f"    {line}", (" (fixed)", Colour.GREEN) if is_fixed else "")


def _summary(report: Report, *, verbose: bool) -> str:
    left = [issue for issue in report.issues if issue.key not in report.fixed]
    hints = sum(issue.gravity is Gravity.HINT for issue in left)
    said = [
        f"{count} {gravity}{'s' * (count != 1)}"
        for gravity in (Gravity.ERROR, Gravity.WARNING)
        if (count := sum(issue.gravity is gravity for issue in left))
    ]
    whole = "healthy" if report.is_healthy else "not healthy"
    whole += f": {', '.join(said)}" if said else ""
    return whole if verbose or not hints else f"{whole}; {hints} hint{'s' * (hints != 1)} with --verbose"
