"""``planctl init``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation


@click.command("init", cls=Command)
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@pass_invocation
def command(invocation: Invocation, *, dry_run: bool) -> None:
    """Write a commented planctl.yaml and an example plan; what exists already is left alone."""
    from orchestrator.services.beginnings import begin  # noqa: PLC0415 - `--help` does without

    written = begin(invocation.repository, dry_run=dry_run)
    output = invocation.output
    if invocation.as_json:
        output.data(
            {"written": [p.as_posix() for p in written.made], "kept": [p.as_posix() for p in written.kept]}
        )
        return
    for path in written.made:
        output.text(f"{'would write' if dry_run else 'wrote'} {path.as_posix()}")
    for path in written.kept:
        output.text(f"kept {path.as_posix()}, which exists already")
    output.note("next: `planctl lint`, then commit planctl.yaml, then `planctl run-multi --all`")
