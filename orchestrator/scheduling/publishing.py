"""The run's side of the plans' outputs: ``status.json`` and ``timestamps/`` follow the store.

They are written from the stored attempt whenever it has changed since this process last looked, so they are
right again after a crash as soon as the run is resumed, whatever moment it was killed at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.submitting.published import publish

if TYPE_CHECKING:
    from orchestrator.scheduling.view import View
    from orchestrator.workbench import Workbench


class Publisher:
    """Writes what has changed; one for each run."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._seen: dict[str, tuple[str, int]] = {}

    def look(self, view: View) -> None:
        """Publish the attempts of ``view`` that are not as they were when last published."""
        for plan, attempt in view.attempts.items():
            if not attempt.started_at or self._seen.get(plan) == (attempt.id, attempt.version):
                continue
            current = self._bench.store.attempt(attempt.id) or attempt
            mark = (current.id, current.version)
            if self._seen.get(plan) != mark:
                publish(self._bench, current)
                self._seen[plan] = mark
