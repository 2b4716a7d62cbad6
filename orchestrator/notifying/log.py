"""``planctl/logs/notify.log``: a line for each notification that has come to its end, however that was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.drawing.escape import one_line
from plans.effects import append_line, step

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.clock import Clock

NAME: Final = "notify.log"
_MOST: Final = 1 << 20
"""Bytes after which it is begun anew; one older one is kept."""


class NotifyLog:
    """Appends whole lines; several processes may."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self.path = state_dir / "logs" / NAME
        self._clock = clock

    def say(self, channel: str, what: str, detail: str = "") -> None:
        """Add a line; raises OSError."""
        line = one_line(f"{self._clock.now()} {channel} {what}{f': {detail}' if detail else ''}")
        with step("notify.log"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > _MOST:
                self.path.replace(self.path.with_suffix(".log.old"))
            append_line(self.path, line)
