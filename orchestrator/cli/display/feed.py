"""The events of a run as they come: JSON lines for programs, lines for people, or a live table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.display.narration import is_outcome, narrate_all
from orchestrator.cli.output import Verbosity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
            self._seen = events[-1].sequence
            tell(self._output, events, self._output.text if self._table is None else self._table.say)
        if self._table is not None and view is not None:
            self._table.update(view)


def tell(
    output: Output, events: Iterable[StoredEvent], say: Callable[..., None], *, whole: bool = False
) -> None:
    """Lines of JSON, or lines for people by ``say``: with ``-q`` only outcomes, unless ``whole``."""
    if output.as_json:
        for event in events:
            output.data(event_data(event))
        return
    whole = whole or output.verbosity >= Verbosity.NORMAL
    for line in narrate_all(event for event in events if whole or is_outcome(event)):
        say(*line)


def event_data(event: StoredEvent) -> dict[str, Any]:
    """One event under the names of the contract."""
    plan = {"plan": event.plan} if event.plan else {}
    return {"ts": event.ts, "event": event.event, "run": event.run, **plan, **dict(event.data)}
