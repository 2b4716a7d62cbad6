"""A snapshot that is drawn anew on a terminal, until Ctrl-C."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NoReturn

from rich.console import Console, Group
from rich.live import Live

from orchestrator.cli.display.styled import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from orchestrator.cli.display.snapshot import Line
    from orchestrator.clock import Clock

_EACH: Final = 1.0
"""Seconds between two pictures."""


def watch(stream: TextIO, clock: Clock, picture: Callable[[], Iterable[Line]]) -> NoReturn:
    """Draw what ``picture`` gives, each second anew; only an interrupt ends it."""
    console = Console(file=stream, highlight=False)
    never = threading.Event()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(Group(*(styled(line, no_wrap=True) for line in picture())), refresh=True)
            clock.wait(never, _EACH)
