"""``planctl schema``."""

from __future__ import annotations

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation


@click.command("schema", cls=Command)
@pass_invocation
def command(invocation: Invocation) -> None:
    """Print the JSON Schema of a plan's header, for editors and other tools."""
    from plans.schema import header_schema  # noqa: PLC0415 - `--help` does without

    invocation.output.document(header_schema())
