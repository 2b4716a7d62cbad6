"""``planctl graph``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from plans.graph import PlanGraph

_FORMATS: Final = ("text", "mermaid", "dot", "svg", "json")


@click.command("graph", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="How to draw it; text unless --json is given.",
)
@pass_invocation
def command(invocation: Invocation, plans: tuple[str, ...], form: str | None) -> None:
    """Draw the graph of plans: waves, why each plan waits, the critical path.

    Without PLAN (an id or a path), all plans. Plans that depend on each other in a circle: exit 2, and the
    circle's ids in order.
    """
    from orchestrator.services.plans import graph_of  # noqa: PLC0415 - `--help` does without
    from worktrees.git import Git  # noqa: PLC0415 - as above

    if invocation.as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} exclude each other")
    graph = graph_of(invocation.repository, Git(invocation.repository), plans, Path.cwd())
    if invocation.as_json or form == "json":
        from plans.drawing.data import graph_data  # noqa: PLC0415 - only what is drawn is loaded

        invocation.output.document(graph_data(graph))
    else:
        invocation.output.text(_drawn(graph, form or "text"))


def _drawn(graph: PlanGraph, form: str) -> str:
    from plans.drawing import dot, mermaid, svg, text  # noqa: PLC0415 - as above

    draw = {
        "text": text.draw_text,
        "mermaid": mermaid.draw_mermaid,
        "dot": dot.draw_dot,
        "svg": svg.draw_svg,
    }
    return draw[form](graph)
