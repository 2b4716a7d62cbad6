"""Entries of the merge queue for people: one line each, and what can be done about those that stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.display.feed import tell
from orchestrator.cli.display.queuelist import COLOURS
from orchestrator.cli.output import Colour
from orchestrator.services.explaining import cure_of, news, state_of, why_of

if TYPE_CHECKING:
    from orchestrator.cli.output import Output
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry


def show_ended(output: Output, entry: Entry, *, is_landed: bool) -> None:
    """One entry in the end: its state, why, and what can be done."""
    state = state_of(entry, is_landed=is_landed)
    output.text(
        (entry.plan or entry.branch, Colour.BOLD), " ", (state, COLOURS.get(state, Colour.DIM)), _rest(entry)
    )
    for line in entry.reason.get("tail", ())[-5:]:
        output.text("    | ", str(line))
    if entry.reason.get("log"):
        output.text("    log: ", str(entry.reason["log"]))
    if cure_of(entry):
        output.text(("  hint: ", Colour.DIM), cure_of(entry))


def _rest(entry: Entry) -> str:
    why = why_of(entry, is_served=True)
    if why.startswith("landed "):
        return why.removeprefix("landed")
    return f": {why}" if why and why != str(entry.state) else ""


class QueueFeed:
    """Shows what is new at the queue each time it is asked to: JSON lines, or lines for people."""

    def __init__(
        self, output: Output, store: Store, *, entry: str | None = None, whole: bool = False
    ) -> None:
        """Of one ``entry`` if it is given; ``whole``: all of it, with ``-q``, too."""
        self._output = output
        self._store = store
        self._seen = 0
        self._entry = entry
        self._whole = whole

    def skip(self) -> None:
        """Leave out what has happened so far."""
        self._seen = news(self._store, self._seen)[1]

    def show(self, store: Store | None = None) -> None:
        """Show what is new, as read from ``store`` if one is given."""
        events, self._seen = news(store or self._store, self._seen, self._entry)
        tell(self._output, events, self._output.text, whole=self._whole)
