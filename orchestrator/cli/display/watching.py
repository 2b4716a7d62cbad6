"""A snapshot that is drawn anew on a terminal, until Ctrl-C."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NoReturn

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from orchestrator.cli.output import Colour
from plans.drawing.escape import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from orchestrator.cli.display.snapshot import Line
    from orchestrator.clock import Clock

_STYLES: Final = {
    Colour.RED: "red",
    Colour.GREEN: "green",
    Colour.YELLOW: "yellow",
    Colour.BLUE: "blue",
    Colour.DIM: "dim",
    Colour.BOLD: "bold",
}
_EACH: Final = 1.0
"""Seconds between two pictures."""


def watch(stream: TextIO, clock: Clock, picture: Callable[[], Iterable[Line]]) -> NoReturn:
    """Draw what ``picture`` gives, each second anew; only an interrupt ends it."""
    console = Console(file=stream, highlight=False)
    never = threading.Event()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(Group(*(_drawn(line) for line in picture())), refresh=True)
            clock.wait(never, _EACH)


def _drawn(line: Line) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for part in line:
        shown, colour = (part, None) if isinstance(part, str) else part
        text.append(visible(shown), style=_STYLES[colour] if colour else None)
    return text
