"""``planctl sync``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.services.sync import Synced
    from plans.project import ProjectSettings

_SHOWN = 20


@click.command("sync", cls=Command)
@remote_option
@pass_invocation
def command(invocation: Invocation) -> int:
    """Bring this checkout to the target, and land what waited for it.

    A checkout that `checkout: detach` took off the target goes back, edits kept. Where edits are in the way,
    they are named with what can be done about them, and nothing is changed; then the exit is 1.
    """
    from orchestrator.cli.interrupts import interruptible  # noqa: PLC0415 - as above
    from orchestrator.services.sync import sync, synced_json  # noqa: PLC0415 - as above
    from worktrees.mirror import shown_target  # noqa: PLC0415 - as above

    with (
        interruptible() as cancel,
        invocation.working("queue", override=_following) as (bench, session),
    ):
        synced = sync(bench, session, cancel=cancel)
        if invocation.as_json:
            invocation.output.document(synced_json(bench, synced))
        else:
            _show(invocation.output, synced, shown_target(bench.target))
    return DONE if synced.succeeded else NO


def _following(project: ProjectSettings) -> ProjectSettings:
    from plans.project import CheckoutPolicy  # noqa: PLC0415 - as above

    return replace(project, checkout=CheckoutPolicy.FOLLOW)


def _show(output: Output, synced: Synced, target: str) -> None:
    from orchestrator.cli.display.entries import show_ended  # noqa: PLC0415 - as above

    for entry in synced.entries:
        show_ended(output, entry, is_landed=True)
    if synced.detail:
        output.text((synced.detail, Colour.YELLOW))
    paths = synced.in_the_way
    for path in paths[:_SHOWN]:
        output.text("  in the way: ", one_line(path))
    if len(paths) > _SHOWN:
        output.text(f"  … {len(paths) - _SHOWN} more")
    if paths:
        output.text("  commit them:   git commit, then `planctl sync`")
        output.text("  put them away: git stash push -u -- PATHS, then `planctl sync`, then git stash pop")
        output.text("  or move them out of the way, then `planctl sync`")
    match synced.place:
        case "on-target":
            output.text(f"this checkout is on {target}")
        case "detached":
            output.text(f"this checkout is detached at {synced.head[:12]}, so {target} does not concern it")
        case _:
            output.text(f"this checkout is on {synced.head}, so {target} does not concern it")
