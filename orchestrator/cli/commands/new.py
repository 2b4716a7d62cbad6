"""``planctl new``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation


@click.command("new", cls=Command)
@click.argument("name", metavar="ID")
@pass_invocation
def command(invocation: Invocation, name: str) -> None:
    """Write the plan file ID.md from a template into the first folder of plans; never overwrites."""
    from orchestrator.services.beginnings import write_plan  # noqa: PLC0415 - `--help` does without

    path = write_plan(invocation.repository, name)
    if invocation.as_json:
        invocation.output.data({"id": name, "path": path.as_posix()})
    else:
        invocation.output.text(f"wrote {path.as_posix()}")
        invocation.output.note(f"next: edit it, then `planctl lint {name}`")
