"""The states of attempts as people see them: what they want to see first, and in which colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.cli.output import Colour
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Mapping

_A = AttemptState
ORDER: Final = (
    _A.RUNNING, _A.PREPARING, _A.DEFERRED, _A.WAITING, _A.PENDING, _A.PREPARED, _A.FINISHED, _A.QUEUED,
    _A.CONFLICTED, _A.REJECTED, _A.FAILED, _A.TIMED_OUT, _A.LOST, _A.CANCELLED, _A.LANDED,
)  # fmt: skip
"""What is at work, what waits, what needs somebody, what is done."""
COLOURS: Final[Mapping[AttemptState, Colour]] = {
    _A.LANDED: Colour.GREEN,
    _A.RUNNING: Colour.BLUE,
    _A.DEFERRED: Colour.YELLOW,
    _A.WAITING: Colour.YELLOW,
    _A.CANCELLED: Colour.YELLOW,
    _A.FAILED: Colour.RED,
    _A.TIMED_OUT: Colour.RED,
    _A.CONFLICTED: Colour.RED,
    _A.REJECTED: Colour.RED,
    _A.LOST: Colour.RED,
}
