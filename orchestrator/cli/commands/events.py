"""``planctl events``."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import StoredEvent

_LOOK: Final = 0.5
"""Seconds between two looks into the store, which is a copy of it."""


@click.command("events", cls=Command)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now, until Ctrl-C.")
@click.option("--run", metavar="RUN", help="Only those of this run (its id, or the beginning of it).")
@pass_invocation
def command(invocation: Invocation, run: str | None, *, follow: bool) -> None:
    """Show what happened, oldest first; with --json one object a line, as run-multi prints them."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above

    repository, output, clock = invocation.repository, invocation.output, SystemClock()
    seen = 0
    while True:
        with contextlib.closing(open_readonly_store(repository)) as store:
            seen = _show_new(output, store, _run_id(store, run), seen)
        if not follow or output.is_cut:
            return
        clock.wait(threading.Event(), _LOOK)


def _run_id(store: Store, name: str | None) -> str | None:
    from orchestrator.errors import NothingToDoError  # noqa: PLC0415 - as above

    if name is None:
        return None
    found = [run.id for run in store.runs() if run.id.startswith(name)]
    if not found:
        raise NothingToDoError(f"there is no run {name!r}")
    return found[-1]


def _show_new(output: Output, store: Store, run: str | None, seen: int) -> int:
    while events := store.events_after(seen, run=run):
        for event in events:
            _show(output, event)
        seen = events[-1].sequence
    return seen


def _show(output: Output, event: StoredEvent) -> None:
    from orchestrator.cli.display.feed import event_data  # noqa: PLC0415 - as above
    from orchestrator.cli.display.narration import narrate  # noqa: PLC0415 - as above

    if output.as_json:
        output.data(event_data(event))
        return
    date = event.ts[:10]
    name = f"{event.plan} {event.event}" if event.plan else event.event
    output.text(f"{date} ", *(narrate(event) or (f"{event.ts[11:19]} {name}",)))
