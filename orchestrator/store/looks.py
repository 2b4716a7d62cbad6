"""What a run reads of its own attempts, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from orchestrator.states import TERMINAL_ATTEMPTS, WORKING_ATTEMPTS, AttemptState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Attempt

UNENDED: Final = frozenset(AttemptState) - TERMINAL_ATTEMPTS
"""Attempts that may still be written."""
AT_WORK: Final = WORKING_ATTEMPTS | {AttemptState.PREPARED}
"""Attempts in whose worktrees somebody may write."""


class Looks(Protocol):
    """Looks at what may have changed since an earlier one."""

    def attempts_since(self, run: str, mark: int) -> tuple[Sequence[Attempt], int]:
        """Attempts of ``run`` that have not ended, or were added after ``mark``; and the next mark.

        Oldest first; 0 is the mark before the first. What has ended is never written again, so that nothing
        is missed by who also asks for those that were open at the look before and are not among these.
        """

    def attempts_at_work(self, run: str, since: str) -> Sequence[Attempt]:
        """Attempts of ``run`` at work, and those that had begun and finished at ``since`` or later."""
