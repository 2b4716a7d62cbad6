"""Entries of the merge queue for people: one line each, and what can be done about those that stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.display.feed import event_data
from orchestrator.cli.display.narration import narrate
from orchestrator.cli.output import Colour
from orchestrator.services.explaining import cure_of, news, state_of, why_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.cli.output import Output
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry

_COLOURS = {
    "landed": Colour.GREEN,
    "conflicted": Colour.RED,
    "rejected": Colour.RED,
    "resolving": Colour.YELLOW,
    "held": Colour.YELLOW,
    "blocked": Colour.YELLOW,
}


def show_ended(output: Output, entry: Entry, *, is_landed: bool) -> None:
    """One entry in the end: its state, why, and what can be done."""
    state = state_of(entry, is_landed=is_landed)
    output.text(
        (entry.plan or entry.branch, Colour.BOLD), " ", (state, _COLOURS.get(state, Colour.DIM)), _rest(entry)
    )
    for line in entry.reason.get("tail", ())[-5:]:
        output.text("    | ", str(line))
    if entry.reason.get("log"):
        output.text("    log: ", str(entry.reason["log"]))
    if cure_of(entry):
        output.text(("  hint: ", Colour.DIM), cure_of(entry))


def _rest(entry: Entry) -> str:
    why = why_of(entry, is_served=True)
    return ": " + why.removeprefix("landed ") if why and why != str(entry.state) else ""


def show_queue(output: Output, queue: Mapping[str, Any]) -> None:
    """The queue as a list; an empty one says so."""
    worker = queue["worker"]
    for entry in queue["entries"]:
        output.text(*_row(entry))
    if queue["paused"]:
        output.text(("stands still: ", Colour.YELLOW), str(queue["paused"]))
    if not queue["entries"]:
        output.note("the queue is empty" if queue["tip"] else f"nothing is queued; {_unseen(queue)}")
    elif worker:
        output.note(f"{worker['kind']} {worker['session']} (pid {worker['pid']}) works at it")
    elif any(entry["position"] for entry in queue["entries"]):
        output.note("nobody works at it; `planctl queue run` does")


def _unseen(queue: Mapping[str, Any]) -> str:
    where = f"{queue['remote']}/{queue['target']}"
    return f"{where} has not been looked at from here yet, `planctl queue run --once` does"


def _row(entry: Mapping[str, Any]) -> Iterable[str | tuple[str, Colour]]:
    place = f"{entry['position']:>3}" if entry["position"] else "   "
    detail = entry["reason"].get("detail") or entry["reason"].get("code") or ""
    commit = f" {entry['landed_commit'][:12]}" if entry["landed_commit"] else ""
    state = str(entry["state"])
    yield from (f"{place}  ", (entry["plan"] or entry["branch"], Colour.BOLD), f" {entry['id'][:8]} ")
    yield from ((state, _COLOURS.get(state, Colour.DIM)), commit, f"  {detail}" if detail else "")


class QueueFeed:
    """Shows what is new at the queue each time it is asked to: JSON lines, or lines for people."""

    def __init__(self, output: Output, store: Store, *, after: int = 0, entry: str | None = None) -> None:
        self._output = output
        self._store = store
        self._seen = after
        self._entry = entry

    def skip(self) -> None:
        """Leave out what has happened so far."""
        self._seen = news(self._store, self._seen)[1]

    def show(self, store: Store | None = None) -> None:
        """Show what is new, as read from ``store`` if one is given."""
        events, self._seen = news(store or self._store, self._seen, self._entry)
        for event in events:
            if self._output.as_json:
                self._output.data(event_data(event))
            elif line := narrate(event):
                self._output.text(*line)
