"""``overlap --live``: parse, call the forecast, render."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.context import Invocation
    from orchestrator.cli.output import Output
    from orchestrator.services.forecast import Forecast, Pair

_SHOWN: Final = 5


def show_forecast(
    invocation: Invocation, plans: Sequence[str], explain: tuple[str, str] | None, fail_on: str
) -> int:
    """Compare the branches at work; a conflict is of severity high, a pair not compared medium."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import forecast as service  # noqa: PLC0415 - as above
    from orchestrator.services.pointers import plan_id  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above
    from worktrees.mergebatch import Outcome  # noqa: PLC0415 - as above

    repository = invocation.repository
    asked = [str(plan_id(repository, text)) for text in explain or plans]
    with contextlib.closing(open_readonly_store(repository)) as store:
        if explain:
            found = service.forecast_pair(store, Git(repository), (asked[0], asked[1]))
        else:
            found = service.forecast(store, Git(repository), asked)
    if invocation.as_json:
        invocation.output.data(service.forecast_data(found))
    else:
        _show(found, invocation.output, everything=bool(explain))
    outcomes = {pair.comparison.outcome for pair in found.pairs}
    fails = {Outcome.CONFLICT} if fail_on == "high" else {Outcome.CONFLICT, Outcome.NOT_COMPARED}
    return NO if outcomes & fails else DONE


def _show(found: Forecast, output: Output, *, everything: bool) -> None:
    unread = {branch.attempt.plan: branch.why for branch in found.branches if branch.why}
    counts = dict.fromkeys(("clean", "conflict", "not-compared"), 0)
    for pair in found.pairs:
        counts[pair.comparison.outcome] += 1
        _show_pair(pair, output, everything=everything, said=pair.a in unread or pair.b in unread)
    for plan, why in unread.items():
        output.text(f"{plan}: not compared, ", one_line(why))
    said = f"{counts['clean']} would merge, {counts['conflict']} in conflict"
    missed = counts["not-compared"]
    more = f", {missed} not compared" if missed else ""
    output.note(f"{len(found.branches)} at work, {len(found.pairs)} pairs: {said}{more}")


def _show_pair(pair: Pair, output: Output, *, everything: bool, said: bool) -> None:
    paths = pair.comparison.paths
    if pair.comparison.outcome == "conflict":
        output.text(f"{pair.a} and {pair.b}: ", ("conflict", Colour.RED))
        shown = paths if everything else paths[:_SHOWN]
        for path in shown:
            output.text("  in: ", one_line(path))
        if len(paths) > len(shown):
            output.text(f"  … {len(paths) - len(shown)} more files")
        if not paths:
            output.text("  git sees a conflict that no path stands for")
        if pair.first:
            output.text(f"  first: {pair.first.plan}, {pair.first.why}")
    elif pair.comparison.outcome == "not-compared" and not said:
        output.text(f"{pair.a} and {pair.b}: not compared, ", one_line(pair.comparison.why))
    elif pair.comparison.outcome == "clean" and everything:
        output.text(f"{pair.a} and {pair.b}: would merge")
