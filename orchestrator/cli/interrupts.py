"""SIGINT and SIGTERM end work at the queue in order: the check that runs is stopped, the lease given back."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any

from orchestrator.errors import InterruptedQueueError
from orchestrator.running.waiting import make_wake

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield the event that the first SIGINT or SIGTERM sets; further ones change nothing (S0.5).

    Raises :class:`InterruptedQueueError` at the end when there was one, so that the exit code tells it.
    """
    with catching() as (cancel, caught):
        yield cancel
    if caught:
        raise InterruptedQueueError(caught[0])


@contextlib.contextmanager
def catching() -> Iterator[tuple[threading.Event, list[int]]]:
    """Yield the event that SIGINT and SIGTERM set, and the growing list of their numbers."""
    cancel, caught = make_wake(), list[int]()

    def stop(number: int, _frame: Any) -> None:
        caught.append(number)
        cancel.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel, caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
