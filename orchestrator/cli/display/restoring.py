"""What ``planctl rescue restore`` says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.services.restores import told
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.cli.context import Invocation
    from orchestrator.cli.output import Output
    from orchestrator.services.rescues import BroughtBack
    from worktrees.restore import Foreseen, RestoreReport


def show_foreseen(invocation: Invocation, foreseen: Foreseen, folder: Path) -> None:
    """A dry run, path by path."""
    if invocation.as_json:
        invocation.output.data({**asdict(foreseen), "into": str(folder.resolve())})
        return
    for word, paths in (
        ("write", foreseen.would_write),
        ("delete", foreseen.would_delete),
        ("overwrite", foreseen.would_overwrite),
        ("skip", foreseen.would_skip),
        ("bring back the repository", foreseen.nested),
    ):
        for path in paths:
            invocation.output.text(f"would {word} ", one_line(path))
    if foreseen.would_rescue:
        invocation.output.text(one_line(f"would rescue first what is in {folder}"))
    if foreseen.operation:
        invocation.output.text(f"it would be {foreseen.operation} again")


def show_done(invocation: Invocation, done: BroughtBack, folder: Path) -> None:
    """What was restored, and what stays for a person to do."""
    report, output = done.report, invocation.output
    if invocation.as_json:
        taken_back = [asdict(one) for one in done.taken_back]
        output.data({**asdict(report), "into": str(folder.resolve()), "taken_back": taken_back})
        return
    for one in done.taken_back:
        output.text(one_line(told(one)))
    _show_changes(output, report, folder)
    if report.branch:
        output.note(f"the work was on {report.branch.removeprefix('refs/heads/')}")
    for path in report.submodules:
        output.note("check out its commit yourself in the submodule ", one_line(path))
    for path in report.nested:
        output.text("a repository of its own, brought back whole: ", one_line(path))
    for lost in report.lost:
        output.note("the rescue never had ", one_line(lost))


def _show_changes(output: Output, report: RestoreReport, folder: Path) -> None:
    output.text(f"{len(report.written)} files written, {len(report.deleted)} deleted in ", str(folder))
    for path in report.overwritten:
        output.text("overwritten: ", one_line(path))
    if report.rescued:
        output.text(one_line(f"what was there before is kept at {report.rescued}"))
    for path in report.skipped:
        output.text("skipped, as it was changed here: ", one_line(path))
    if report.operation:
        output.text(f"it is {report.operation} again")
