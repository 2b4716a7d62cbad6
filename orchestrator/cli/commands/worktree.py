"""``planctl worktree``: the pool."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.choosing import chosen_plan, plan_option
from orchestrator.cli.context import Group, Invocation, pass_invocation
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.services.clearing import Pruning


@click.group("worktree", cls=Group)
def command() -> None:
    """List, add and remove worktrees of the pool."""


@command.command("list")
@pass_invocation
def show_all(invocation: Invocation) -> None:
    """List the slots of the pool: state, plan, branch, and whether they hold uncommitted work."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.worktrees import pool_of, slot_lines  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above

    repository = invocation.repository
    with contextlib.closing(open_readonly_store(repository)) as store:
        lines = slot_lines(store, pool_of(repository, Git(repository)))
    if invocation.as_json:
        invocation.output.data({"worktrees": [asdict(line) for line in lines]})
        return
    for line in lines:
        dirty = "  dirty" if line.dirty else ""
        what = f"  {line.plan}" if line.plan else ""
        branch = f"  on {line.branch}" if line.branch else ""
        why = f"  ({line.detail})" if line.detail else ""
        invocation.output.text(f"{line.slot:<9} {line.state:<11}", one_line(f"{what}{branch}{dirty}{why}"))
        invocation.output.detail("  ", line.path)
    if not lines:
        invocation.output.note("the pool is empty")


@command.command("path")
@click.argument("plan", metavar="[PLAN]", required=False)
@plan_option
@pass_invocation
def path(invocation: Invocation, plan: str | None, named: str | None) -> None:
    """Print the path of the worktree that PLAN holds, and nothing else: `cd "$(planctl worktree path x)"`."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.worktrees import path_of  # noqa: PLC0415 - as above

    key = chosen_plan(invocation, plan, named)
    with contextlib.closing(open_readonly_store(invocation.repository)) as store:
        found = path_of(store, key)
    if invocation.as_json:
        invocation.output.data({"plan": key, "path": str(found)})
    else:
        invocation.output.text(str(found))


@command.command("add")
@click.argument("plan", metavar="PLAN")
@click.option("--adopt", is_flag=True, help="Start from the plan's branch although planctl did not make it.")
@pass_invocation
def add(invocation: Invocation, plan: str, *, adopt: bool) -> None:
    """Prepare a worktree for PLAN (an id or a path) to be worked on by hand; nothing of the plan is run.

    `planctl queue add PLAN` hands in what is committed there.
    """
    from orchestrator.bootstrap import working  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.preparing import add_worktree  # noqa: PLC0415 - as above

    with working(invocation.repository, "worktree", tell=invocation.output.error) as (bench, _):
        attempt = add_worktree(bench, plan, Path.cwd(), adopt=adopt)
    if invocation.as_json:
        keys = ("id", "plan", "slot", "worktree", "branch", "base")
        invocation.output.data({key: getattr(attempt, key) for key in keys})
        return
    invocation.output.text(str(attempt.worktree))
    invocation.output.note(f"on {attempt.branch}; `planctl queue add {attempt.plan}` when it is committed")


@command.command("remove")
@click.argument("slot", metavar="SLOT|PLAN")
@click.option(
    "--force", is_flag=True, help="Take a quarantined one, and repositories in it, if all can be kept."
)
@pass_invocation
def remove(invocation: Invocation, slot: str, *, force: bool) -> None:
    """Remove a worktree; uncommitted work is snapshotted first, commits that did not land are parked.

    Refused while anything is at work in it or its plan is in the merge queue.
    """
    from orchestrator.bootstrap import working  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.clearing import kept_at, remove_slot  # noqa: PLC0415 - as above

    with working(invocation.repository, "worktree", tell=invocation.output.error) as (bench, _):
        cleared = remove_slot(bench, slot, force=force)
    if invocation.as_json:
        invocation.output.data({"removed": [asdict(cleared)]})
    else:
        invocation.output.text(f"removed {cleared.slot}; {kept_at(cleared)}")


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; change nothing.")
@click.option("--keep", type=click.IntRange(0), default=0, metavar="N", help="Leave N free ones.")
@pass_invocation
def prune(invocation: Invocation, *, dry_run: bool, keep: int) -> None:
    """Remove every worktree that is free or whose attempt has ended, with its work kept as for `remove`."""
    from orchestrator.bootstrap import looking, working  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import clearing  # noqa: PLC0415 - as above

    if dry_run:
        _show_pruning(invocation, clearing.plan_pruning(looking(invocation.repository), spare=keep))
        return
    with working(invocation.repository, "worktree", tell=invocation.output.error) as (bench, _):
        cleared, kept = clearing.prune(bench, spare=keep)
    if invocation.as_json:
        rows = {"removed": [asdict(c) for c in cleared], "kept": [asdict(k) for k in kept]}
        invocation.output.data(rows)
        return
    for gone in cleared:
        invocation.output.text(f"removed {gone.slot}; {clearing.kept_at(gone)}")
    for left in kept:
        invocation.output.text(one_line(f"kept {left.slot}: {left.reason}"))
    if not cleared:
        invocation.output.note("nothing to remove")


def _show_pruning(invocation: Invocation, pruning: Pruning) -> None:
    unneeded = [{"slot": s.name, "plan": s.plan, "state": str(s.state)} for s in pruning.unneeded]
    if invocation.as_json:
        kept = [asdict(k) for k in pruning.kept]
        half_way = list(pruning.half_way)
        invocation.output.data({"would_remove": unneeded, "kept": kept, "half_way": half_way})
        return
    for row in unneeded:
        held = f" of {row['plan']}" if row["plan"] else ""
        invocation.output.text(one_line(f"would remove {row['slot']}{held} ({row['state']})"))
    for left in pruning.kept:
        invocation.output.text(one_line(f"would keep {left.slot}: {left.reason}"))
    for name in pruning.half_way:
        invocation.output.text(f"would finish {name}, whose making or removal was cut short")
    if not unneeded:
        invocation.output.note("nothing to remove")
