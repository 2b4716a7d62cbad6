"""The events of a run as they come: JSON lines for programs, lines for people, or a live table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.display.narration import narrate

if TYPE_CHECKING:
    from orchestrator.cli.display.table import LiveTable
    from orchestrator.cli.output import Output
    from orchestrator.scheduling.view import View
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import StoredEvent


class Feed:
    """Shows what is new each time it is asked to; reads the store that it is given, and nothing else."""

    def __init__(self, output: Output, store: Store, run: str, table: LiveTable | None = None) -> None:
        self._output = output
        self._store = store
        self._run = run
        self._table = table
        self._seen = 0

    def skip_to(self, sequence: int) -> None:
        """Leave out what happened up to event ``sequence``."""
        self._seen = sequence

    def show(self, view: View | None = None) -> None:
        """Show the events since the last time, and the live table of ``view`` if there is one."""
        while events := self._store.events_after(self._seen, run=self._run):
            for event in events:
                self._seen = event.sequence
                self._show_event(event)
        if self._table is not None and view is not None:
            self._table.update(view)

    def _show_event(self, event: StoredEvent) -> None:
        if self._output.as_json:
            self._output.data(event_data(event))
            return
        line = narrate(event)
        if line is not None and self._table is not None:
            self._table.say(line)
        elif line is not None:
            self._output.text(*line)


def event_data(event: StoredEvent) -> dict[str, Any]:
    """One event under the names of the contract."""
    plan = {"plan": event.plan} if event.plan else {}
    return {"ts": event.ts, "event": event.event, "run": event.run, **plan, **dict(event.data)}
