"""``planctl status``: loads click, sqlite3 and little else, since it is called often."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from orchestrator.services.status import Status
    from worktrees.repository import Repository


@click.command("status", cls=Command)
@click.option("--watch", is_flag=True, help="On a terminal, show it anew each second until Ctrl-C.")
@pass_invocation
def command(invocation: Invocation, *, watch: bool) -> None:
    """Show what is going on, and why it waits: runs, plans, the merge queue, sessions. Changes nothing."""
    from orchestrator.cli.display.snapshot import lines  # noqa: PLC0415 - `--help` does without

    repository, output = invocation.repository, invocation.output
    stream = output.live_stream() if watch else None
    if stream is not None:
        from orchestrator.cli.display import watching  # noqa: PLC0415 - rich, for terminals only
        from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above

        watching.watch(stream, SystemClock(), lambda: lines(_now(repository)))
    status = _now(repository)
    if not (status.plans or status.runs or status.queue) and _has_lost_store(repository):
        output.note("the store is missing, and git knows of runs and landings: see `planctl doctor`")
    if invocation.as_json:
        output.data(asdict(status))
        return
    output.lines(lines(status))


def _has_lost_store(repository: Repository) -> bool:
    """Whether what it shows is empty since the store was deleted, and not since nothing has run here."""
    from orchestrator.bootstrap import store_path  # noqa: PLC0415 - as above

    if store_path(repository).exists():
        return False
    from orchestrator.scheduling.freeze import RUNS  # noqa: PLC0415 - git, where nothing else is shown
    from orchestrator.submitting.key import LANDED  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above
    from worktrees.objects import Objects  # noqa: PLC0415 - as above
    from worktrees.references import References  # noqa: PLC0415 - as above

    references = References(Git(repository), Objects(repository))
    return any(references.list(f"{folder}/") for folder in (RUNS, LANDED))


def _now(repository: Repository) -> Status:
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - as above
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services.status import status_of  # noqa: PLC0415 - as above

    with contextlib.closing(open_readonly_store(repository)) as store:
        return status_of(store, SystemClock(), repository)
