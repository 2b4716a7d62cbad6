"""``planctl uninstall``."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.services.leftover_references import Kept
    from orchestrator.services.uninstalling import Survey, Uninstalled
    from worktrees.repository import Repository


@click.command("uninstall", cls=Command)
@click.option("--dry-run", is_flag=True, help="Show what would go and what would stay; change nothing.")
@pass_invocation
def command(invocation: Invocation, *, dry_run: bool) -> None:
    """Take planctl out of this repository: worktrees, references, state. Work that has not landed stays.

    Uncommitted work is rescued and commits are parked first; where they are is listed. Refused (exit 4)
    while anything is at work.
    """
    from orchestrator.services.hooking import uninstall_all  # noqa: PLC0415 - `--help` does without
    from worktrees.dismantle import remove_leftovers  # noqa: PLC0415 - `--help` does without

    repository = invocation.repository
    if dry_run:
        _show_survey(invocation, _surveyed(repository))
        return
    finished = remove_leftovers(repository)
    if not repository.state_dir.exists():
        finished = bool(uninstall_all(repository).gone) or finished
    if not repository.state_dir.exists():
        invocation.output.note("finished" if finished else "planctl has nothing in this repository")
        _as_data(invocation, None)
        return
    _require_quiet(repository)
    _show(invocation, _uninstalled(repository))


def _surveyed(repository: Repository) -> Survey:
    from orchestrator.bootstrap import looking  # noqa: PLC0415 - as above
    from orchestrator.services.uninstalling import survey  # noqa: PLC0415 - as above

    _require_quiet(repository)
    return survey(looking(repository))


def _require_quiet(repository: Repository) -> None:
    """Raise BusyError when anything is at work, with who it is."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - as above
    from orchestrator.errors import BusyError  # noqa: PLC0415 - as above
    from orchestrator.services.occupied import at_work  # noqa: PLC0415 - as above

    with contextlib.closing(open_readonly_store(repository)) as store:
        others = at_work(store, repository.state_dir)
    if others:
        raise BusyError("the repository", ", ".join(others))


def _uninstalled(repository: Repository) -> Uninstalled:
    from orchestrator.bootstrap import dismantling  # noqa: PLC0415 - as above
    from orchestrator.errors import BusyError  # noqa: PLC0415 - as above
    from orchestrator.services.uninstalling import dismantle  # noqa: PLC0415 - as above

    with dismantling(repository) as pair:
        if pair is None:
            raise BusyError("the repository", "a planctl that has just begun")
        return dismantle(*pair)


def _show(invocation: Invocation, done: Uninstalled) -> None:
    if invocation.as_json:
        _as_data(invocation, done)
        return
    output = invocation.output
    for gone in done.removed:
        output.text(f"removed {gone.slot}")
    output.text(f"deleted {len(done.dropped)} references that only planctl needed")
    _show_kept(output, done.kept)
    for line in done.left:
        output.text(one_line(f"left alone: {line}"))
    output.text("planctl is gone from this repository")


def _show_kept(output: Output, kept: tuple[Kept, ...]) -> None:
    if kept:
        output.text("work that has not landed stays here:")
    for one in kept:
        output.text(one_line(f"  {one.reference}  {one.commit[:12]}"))


def _as_data(invocation: Invocation, done: Uninstalled | None) -> None:
    if not invocation.as_json:
        return
    removed = [asdict(gone) for gone in done.removed] if done else []
    kept = [asdict(one) for one in done.kept] if done else []
    invocation.output.data(
        {
            "removed": removed,
            "kept": kept,
            "deleted": list(done.dropped) if done else [],
            "left": list(done.left) if done else [],
        }
    )


def _show_survey(invocation: Invocation, found: Survey) -> None:
    output, references = invocation.output, found.references
    if invocation.as_json:
        output.data(
            {
                "would_remove": list(found.slots),
                "folders": [str(folder) for folder in found.folders],
                "kept": [asdict(one) for one in references.kept],
                "would_park": sorted(references.parked),
                "would_delete": sorted(references.dropped),
                "left": list(found.left),
            }
        )
        return
    for name in found.slots:
        output.text(f"would rescue, park and remove {name}")
    for folder in found.folders:
        output.text(one_line(f"would remove {folder}, if nothing else is in it"))
    output.text(f"would delete {len(references.dropped)} references that only planctl needs")
    for commit in sorted(references.parked):
        output.text(f"would park {commit[:12]}, which nothing else leads to")
    _show_kept(output, references.kept)
    for line in found.left:
        output.text(one_line(f"would leave alone: {line}"))
