"""The cleanup log: a line for each thing that a watchdog did, never rewritten.

``[2026-11-21T00:56:01.123Z] [INFO] [session-ended] 01J… (agent, pid 12 on host): its process is gone``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.drawing.escape import one_line
from plans.effects import append_line, step

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.clock import Clock

NAME: Final = "cleanup.log"


class CleanupLog:
    """``logs/cleanup.log`` in planctl's folder of the repository."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self.path: Final = state_dir / "logs" / NAME
        self._clock = clock
        self._troubles: set[str] = set()
        self.failure = ""

    def say(self, action: str, details: str, level: str = "INFO") -> None:
        """Append one line; what stands in ``details`` may be anybody's words.

        A full disk keeps nobody from cleaning up: why a line is missing is kept in ``failure``.
        """
        try:
            with step("watchdog.log-folder"):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self.path, one_line(f"[{self._clock.now()}] [{level}] [{action}] {details}"))
            self.failure = ""
        except OSError as error:
            self.failure = f"{self.path} cannot be written: {error.strerror}"

    def trouble(self, action: str, details: str) -> None:
        """As :meth:`say`, as a warning, and once: what cannot be mended is found again by every sweep."""
        line = f"{action} {details}"
        if line not in self._troubles:
            self._troubles.add(line)
            self.say(action, details, "WARN")
