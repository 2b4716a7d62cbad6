"""A clock that only moves when a test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Waiting takes no time: the clock is set forward by what was asked for, and ``waits`` remembers it."""

    def __init__(self, boot: str = "boot-1") -> None:
        self._wall = datetime(2026, 11, 21, 0, 56, tzinfo=UTC)
        self._monotonic = 1000.0
        self._boot = boot
        self._slept = 0.0
        self.waits: list[float] = []

    def now(self) -> str:
        return self._wall.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def monotonic(self) -> float:
        return self._monotonic

    def uptime(self) -> float:
        return self._monotonic + self._slept

    def boot(self) -> str:
        return self._boot

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if event.is_set():
            return True
        self.waits.append(seconds)
        self.advance(seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += timedelta(seconds=seconds)

    def set_wall(self, seconds: float) -> None:
        """A jump of the wall clock, as by a person or by NTP; monotonic time does not know of it."""
        self._wall += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: monotonic time stands still."""
        self._slept += seconds
        self._wall += timedelta(seconds=seconds)

    def reboot(self) -> None:
        self._boot += "'"
        self._monotonic = 5.0
        self._slept = 0.0
