"""``planctl new``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation


@click.command("new", cls=Command)
@click.argument("name", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@pass_invocation
def command(invocation: Invocation, name: str, *, dry_run: bool) -> None:
    """Write the plan file ID.md from a template into the first folder of plans; never overwrites."""
    from orchestrator.services.beginnings import write_plan  # noqa: PLC0415 - `--help` does without

    path = write_plan(invocation.repository, name, dry_run=dry_run)
    if invocation.as_json:
        invocation.output.data({"id": name, "path": path.as_posix()})
    else:
        invocation.output.text(f"{'would write' if dry_run else 'wrote'} {path.as_posix()}")
        invocation.output.note(f"next: edit it, then `planctl lint {name}`")
