"""A live table of a run on a terminal: a line a plan, with state, time, and the last line of its output."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import Colour
from orchestrator.running.log import last_line
from orchestrator.scheduling.deferral import with_time_left
from orchestrator.scheduling.reasons import sentence
from orchestrator.states import OPEN_ENTRIES, TERMINAL_ATTEMPTS, AttemptState
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TextIO

    from orchestrator.cli.output import Part
    from orchestrator.clock import Clock
    from orchestrator.scheduling.view import View
    from orchestrator.store.records import Attempt, Entry

_STYLES: Final = {
    AttemptState.LANDED: "green",
    AttemptState.RUNNING: "cyan",
    AttemptState.FAILED: "red",
    AttemptState.TIMED_OUT: "red",
    AttemptState.CONFLICTED: "red",
    AttemptState.REJECTED: "red",
    AttemptState.DEFERRED: "yellow",
    AttemptState.WAITING: "yellow",
    AttemptState.CANCELLED: "yellow",
}
_TINTS: Final = {
    Colour.RED: "red",
    Colour.GREEN: "green",
    Colour.YELLOW: "yellow",
    Colour.BLUE: "blue",
    Colour.DIM: "dim",
    Colour.BOLD: "bold",
}


class LiveTable:
    """Redrawn with each view; lines that are said scroll above it. Use as a context manager."""

    def __init__(self, stream: TextIO, clock: Clock, log_of: Callable[[str], Path]) -> None:
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._log_of = log_of
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, line: Iterable[Part]) -> None:
        """Print a line above the table."""
        text = Text()
        for part in line:
            words, colour = (part, None) if isinstance(part, str) else part
            text.append(one_line(words), style=_TINTS[colour] if colour else None)
        self._console.print(text)

    def update(self, view: View) -> None:
        """Draw the table anew."""
        table = Table(box=None, pad_edge=False, expand=True)
        for name, options in (
            ("plan", {}),
            ("state", {}),
            ("time", {"justify": "right"}),
            ("", {"ratio": 1}),
        ):
            table.add_column(name, no_wrap=True, **options)
        for plan in sorted(view.attempts):
            attempt = view.attempts[plan]
            entry = view.entries.get(attempt.entry or "")
            queued = attempt.state is AttemptState.QUEUED and entry is not None
            state = str(entry.state) if queued and entry else str(attempt.state)
            style = _STYLES.get(attempt.state, "")
            table.add_row(plan, Text(state, style=style), self._elapsed(attempt), Text(self._last(attempt)))
        queue = [f"{plan} ({entry.state})" for plan, entry in _in_queue(view)]
        shown = Group(table, Text(f"queue: {', '.join(queue)}", no_wrap=True)) if queue else table
        self._live.update(shown, refresh=True)

    def _elapsed(self, attempt: Attempt) -> str:
        if attempt.started_at is None:
            return ""
        end = attempt.finished_at or self._clock.now()
        seconds = int((_time(end) - _time(attempt.started_at)).total_seconds())
        return f"{seconds // 60}:{seconds % 60:02d}"

    def _last(self, attempt: Attempt) -> str:
        if attempt.state is AttemptState.RUNNING:
            return last_line(self._log_of(attempt.plan))
        if attempt.reason and (attempt.state not in TERMINAL_ATTEMPTS or attempt.state in _STYLES):
            return one_line(sentence(with_time_left(attempt, self._clock)))
        return ""


def _in_queue(view: View) -> list[tuple[str, Entry]]:
    """The run's plans that are in the merge queue, in the order in which they came."""
    entries = [e for e in view.entries.values() if e.plan and e.state in OPEN_ENTRIES]
    return [(str(entry.plan), entry) for entry in sorted(entries, key=lambda e: e.sequence)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
