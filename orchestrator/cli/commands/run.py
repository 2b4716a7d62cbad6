"""``planctl run``: one plan."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.commands.run_multi import command as run_multi
from orchestrator.cli.commands.run_multi import run_plans
from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option

_SAME = [p for p in run_multi.params if isinstance(p, click.Option) and p.name not in ("every", "jobs")]


@click.command("run", cls=Command)
@click.argument("plan", metavar="PLAN")
@remote_option
@pass_invocation
def command(invocation: Invocation, /, plan: str, **options: Any) -> int:
    """Run one PLAN (an id or a path) in a worktree of its own, and land its work."""
    return run_plans(invocation, {**options, "plans": (plan,), "every": False, "jobs": None})


command.params[1:1] = [p for p in _SAME if p.expose_value]
