"""Which plan a command means: PLAN or ``--plan``, else ``PLANCTL_PLAN``, else the worktree's pointer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.cli.context import Invocation
    from plans.ids import PlanId

_HELP: Final = "The plan that is meant; else PLANCTL_PLAN says it, else the pointer of the worktree."


def plan_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--plan``, as the parameter ``named``."""
    return click.option("--plan", "named", metavar="PLAN", help=_HELP)(function)


def chosen_plan(invocation: Invocation, argument: str | None, named: str | None) -> PlanId:
    """The plan that the command line means; raises NoPlanError where nothing says it."""
    from orchestrator.services.pointers import meant_plan  # noqa: PLC0415 - `--help` does without

    if argument is not None and named is not None and argument != named:
        raise click.UsageError(f"PLAN is {argument}, and --plan says {named}")
    text = named if argument is None else argument
    return meant_plan(invocation.repository, text, Path(invocation.folder or "."))
