"""The attempts of one run, of which those that have ended are read once: a run looks thousands of times.

Right with any number of processes that write, since it builds on what the store promises alone: an attempt
that has ended is never written again, and one that is added comes after the mark (decision 0060).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.states import TERMINAL_ATTEMPTS

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt


class OwnAttempts:
    """What one run remembers of its attempts between two looks."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._known: dict[str, Attempt] = {}
        self._mark = 0

    def look(self, store: Store) -> tuple[Attempt, ...]:
        """All attempts of the run as they are now, oldest first. Others are read than what has ended before.

        What is found out in a transaction that is undone is not remembered.
        """
        found, mark = store.attempts_since(self._run, self._mark)
        now = {**self._known, **{attempt.id: attempt for attempt in found}}
        seen = {attempt.id for attempt in found}
        for key, attempt in self._known.items():
            if key not in seen and attempt.state not in TERMINAL_ATTEMPTS:
                ended = store.attempt(key)
                assert ended is not None, "attempts are never deleted"
                now[key] = ended

        def keep() -> None:
            self._known, self._mark = now, mark

        store.after_commit(keep)
        return tuple(now.values())
