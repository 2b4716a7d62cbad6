"""``planctl rescue``: snapshots of uncommitted work."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from orchestrator.cli.choosing import chosen_plan, plan_option
from orchestrator.cli.context import Group, Invocation, pass_invocation
from plans.drawing.escape import one_line


@click.group("rescue", cls=Group)
def command() -> None:
    """List, show or bring back snapshots of uncommitted work, made before a worktree is used again."""


@command.command("list")
@click.argument("plan", metavar="[PLAN]", required=False)
@plan_option
@pass_invocation
def show_all(invocation: Invocation, plan: str | None, named: str | None) -> None:
    """List the snapshots, of all plans or of PLAN, the newest of each last."""
    from orchestrator.services.rescues import rescues_of  # noqa: PLC0415 - `--help` does without
    from worktrees.git import Git  # noqa: PLC0415 - as above

    label = chosen_plan(invocation, plan, named) if plan or named else None
    found = rescues_of(Git(invocation.repository), label)
    if invocation.as_json:
        rows = [{"plan": r.label, **{k: v for k, v in asdict(r).items() if k != "label"}} for r in found]
        invocation.output.data({"rescues": rows})
        return
    for rescued in found:
        invocation.output.text(f"{rescued.at}  {rescued.label}/{rescued.stamp}  ", one_line(rescued.subject))
    if not found:
        invocation.output.note("no snapshots")


@command.command("show")
@click.argument("rescue", metavar="RESCUE")
@pass_invocation
def show(invocation: Invocation, rescue: str) -> None:
    """Show what RESCUE holds: a reference, PLAN/STAMP, or PLAN for its newest snapshot."""
    from orchestrator.services.rescues import require_rescue  # noqa: PLC0415 - `--help` does without
    from worktrees import rescue as snapshots  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above

    git = Git(invocation.repository)
    found = require_rescue(git, rescue)
    text = snapshots.show(git, found.reference)
    if invocation.as_json:
        invocation.output.data({"reference": found.reference, "commit": found.commit, "text": text})
    else:
        invocation.output.text(text)


@command.command("restore")
@click.argument("rescue", metavar="RESCUE")
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True),
    help="The worktree to bring it to.",
)
@click.option("--detach", is_flag=True, help="Check out there the commit that the work stood on, first.")
@click.option(
    "--on-change",
    metavar="abort|overwrite|skip",
    type=click.Choice(["abort", "overwrite", "skip"]),
    default="abort",
    help="What to do about work in the way: refuse (the default), write over it, rescued first, or leave it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, path by path; change nothing.")
@pass_invocation
def restore(
    invocation: Invocation, rescue: str, into: str | None, *, detach: bool, on_change: str, dry_run: bool
) -> None:
    """Bring RESCUE back into a worktree, this one or DIR: all of it or nothing.

    Work that is there is never overwritten, unless --on-change says so; then it is rescued first.
    """
    from orchestrator.bootstrap import looking, working  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.display import restoring  # noqa: PLC0415 - as above
    from orchestrator.services.pointers import require_worktree  # noqa: PLC0415 - as above
    from orchestrator.services.rescues import bring_back, would_bring_back  # noqa: PLC0415 - as above
    from plans.onchange import OnChange  # noqa: PLC0415 - as above
    from worktrees.restorelook import Wish  # noqa: PLC0415 - as above

    folder = Path(into) if into else require_worktree(invocation.repository)
    wish = Wish(OnChange(on_change), detach)
    if dry_run:
        foreseen = would_bring_back(looking(invocation.repository), rescue, folder, wish)
        restoring.show_foreseen(invocation, foreseen, folder)
        return
    with working(invocation.repository, "rescue", tell=invocation.output.error) as (bench, _):
        done = bring_back(bench, rescue, folder, wish, invocation.output.error)
    restoring.show_done(invocation, done, folder)
