"""``planctl lint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.errordata import problem_data
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line
from plans.errors import Problem, Severity

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.services.plans import Linted

_COLOURS: Final = {
    Severity.ERROR: Colour.RED,
    Severity.WARNING: Colour.YELLOW,
    Severity.HINT: Colour.BLUE,
}


@click.command("lint", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@pass_invocation
def command(invocation: Invocation, plans: tuple[str, ...]) -> int:
    """Report all problems of all plans and of planctl.yaml.

    Each line is PATH:LINE:COLUMN: SEVERITY: FIELD: MESSAGE [CODE]. With PLAN (an id or a path), only
    problems of these plans. Exit 1 when one of severity error exists.
    """
    from orchestrator.services.plans import lint_plans  # noqa: PLC0415 - `--help` does without
    from worktrees.git import Git  # noqa: PLC0415 - as above

    found = lint_plans(invocation.repository, Git(invocation.repository), plans, Path.cwd())
    if invocation.as_json:
        invocation.output.data(_data(found))
    else:
        for problem in found.problems:
            _show(problem, invocation.output)
        invocation.output.note(_summary(found))
    return DONE if found.ok else NO


def _data(found: Linted) -> dict[str, object]:
    return {
        "plans": [{"id": p.id, "path": p.path, "ok": p.ok} for p in found.plans],
        "problems": [problem_data(p) for p in found.problems],
    }


def _show(problem: Problem, output: Output) -> None:
    where = f"{problem.path}:{problem.line}:{problem.column}" if problem.line else problem.path
    field = f"{problem.field}: " if problem.field else ""
    severity = (f"{problem.severity}: ", _COLOURS[problem.severity])
    output.text(one_line(where), ": ", severity, one_line(f"{field}{problem.message}"), f" [{problem.code}]")
    if problem.hint:
        output.text(("  hint: ", Colour.DIM), one_line(problem.hint))


def _summary(found: Linted) -> str:
    counts = {severity: sum(p.severity is severity for p in found.problems) for severity in Severity}
    said = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts.items() if count)
    plans = len(found.plans)
    return f"{plans} plan{'s' * (plans != 1)}: {said or 'no problems'}"
