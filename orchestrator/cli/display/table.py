"""A live table of a run on a terminal: a line a plan, with state, time, and the last line of its output."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.cli.display.attemptstates import COLOURS
from orchestrator.cli.display.insight import in_sight
from orchestrator.cli.display.styled import STYLES, styled
from orchestrator.running.log import last_line
from orchestrator.scheduling.deferral import with_time_left
from orchestrator.scheduling.reasons import sentence
from orchestrator.states import OPEN_ENTRIES, TERMINAL_ATTEMPTS, AttemptState
from plans.drawing.escape import one_line
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TextIO

    from orchestrator.cli.output import Part
    from orchestrator.clock import Clock
    from orchestrator.scheduling.view import View
    from orchestrator.store.records import Attempt, Entry

_FRAME: Final = 3
"""Lines of the screen that are not of plans: the heads of the columns, the queue, the cursor's own."""
_COLUMNS: Final = 24
"""What the other columns need of the width, before a long name of a plan is shortened."""
_SHORTEST: Final = 8


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

    def say(self, *line: Part) -> None:
        """Print a line above the table."""
        self._console.print(styled(line))

    def update(self, view: View) -> None:
        """Draw the table anew."""
        table = Table(box=None, pad_edge=False, expand=True)
        for name, options in (
            ("plan", {"max_width": max(_SHORTEST, self._console.width - _COLUMNS)}),
            ("state", {}),
            ("time", {"justify": "right"}),
            ("", {"ratio": 1}),
        ):
            table.add_column(name, no_wrap=True, **options)
        states = {str(plan): attempt.state for plan, attempt in view.attempts.items()}
        plans, others = in_sight(states, self._console.size.height - _FRAME)
        for plan in plans:
            self._add_row(table, view, view.attempts[PlanId(plan)])
        queue = [f"{plan} ({entry.state})" for plan, entry in _in_queue(view)]
        below = [others] * bool(others) + [f"queue: {', '.join(queue)}"] * bool(queue)
        self._live.update(Group(table, *(styled([line], no_wrap=True) for line in below)), refresh=True)

    def _add_row(self, table: Table, view: View, attempt: Attempt) -> None:
        entry = view.entries.get(attempt.entry or "") if attempt.state is AttemptState.QUEUED else None
        colour = COLOURS.get(attempt.state)
        state = Text(str(entry.state if entry else attempt.state), style=STYLES[colour] if colour else "")
        table.add_row(attempt.plan, state, self._elapsed(attempt), Text(self._last(attempt)))

    def _elapsed(self, attempt: Attempt) -> str:
        if attempt.started_at is None:
            return ""
        end = attempt.finished_at or self._clock.now()
        seconds = int((_time(end) - _time(attempt.started_at)).total_seconds())
        return f"{seconds // 60}:{seconds % 60:02d}"

    def _last(self, attempt: Attempt) -> str:
        if attempt.state is AttemptState.RUNNING:
            return last_line(self._log_of(attempt.plan))
        if attempt.reason and (attempt.state not in TERMINAL_ATTEMPTS or attempt.state in COLOURS):
            return one_line(sentence(with_time_left(attempt, self._clock)))
        return ""


def _in_queue(view: View) -> list[tuple[str, Entry]]:
    """The run's plans that are in the merge queue, in the order in which they came."""
    entries = [e for e in view.entries.values() if e.plan and e.state in OPEN_ENTRIES]
    return [(str(entry.plan), entry) for entry in sorted(entries, key=lambda e: e.sequence)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
