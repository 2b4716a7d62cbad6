"""``planctl pointer``: which plan the worktree holds that one stands in."""

from __future__ import annotations

import contextlib

import click

from orchestrator.cli.context import Group, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO


@click.group("pointer", cls=Group)
def command() -> None:
    """Show or change which plan the worktree holds that you stand in; other worktrees have their own."""


@command.command("show")
@pass_invocation
def show(invocation: Invocation) -> int:
    """Print the plan of this worktree; exit 1 when it holds none."""
    from orchestrator.services import pointers  # noqa: PLC0415 - `--help` does without

    plan = pointers.shown(invocation.repository)
    if invocation.as_json:
        invocation.output.data({"plan": plan, "worktree": str(invocation.repository.top)})
    elif plan:
        invocation.output.text(plan)
    else:
        invocation.output.note("this worktree holds no plan")
    return DONE if plan else NO


@command.command("set")
@click.argument("plan", metavar="PLAN")
@pass_invocation
def change(invocation: Invocation, plan: str) -> None:
    """Make this worktree that of PLAN (an id or a path); refused in a slot that another plan holds."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import pointers  # noqa: PLC0415 - as above

    repository = invocation.repository
    key = pointers.plan_id(repository, plan)
    with contextlib.closing(open_readonly_store(repository)) as store:
        pointers.set_pointer(repository, store, key)
    if invocation.as_json:
        invocation.output.data({"plan": key, "worktree": str(repository.top)})
    else:
        invocation.output.text(f"this worktree holds {key}")


@command.command("clear")
@pass_invocation
def clear(invocation: Invocation) -> None:
    """Take the pointer of this worktree away; refused in a slot that a plan holds."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import pointers  # noqa: PLC0415 - as above

    repository = invocation.repository
    with contextlib.closing(open_readonly_store(repository)) as store:
        before = pointers.clear(repository, store)
    if invocation.as_json:
        invocation.output.data({"plan": None, "was": before, "worktree": str(repository.top)})
    else:
        invocation.output.text(f"this worktree held {before}" if before else "this worktree held no plan")
