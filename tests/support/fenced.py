"""Workers that are stopped at a step and lose their lease meanwhile: what the tests of the fence share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Self

from tests.support.queues import Queue

LIMIT = 60.0


class Gate:
    """Stops the thread called ``first`` before or after one reference transaction, until it is let go."""

    def __init__(self, step: str, side: str) -> None:
        self.step, self.side = step, side
        self.reached, self.go = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def passing(self, name: str) -> Iterator[None]:
        self._stop(name, "before")
        yield
        self._stop(name, "after")

    def _stop(self, name: str, side: str) -> None:
        mine = threading.current_thread().name == "first"
        if mine and (name, side) == (self.step, self.side) and not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(LIMIT)


class First:
    """A worker in a thread, stopped at a gate; ends when its queue (``opened``) has nothing left for it."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Queue]], gate: Gate) -> None:
        self.opened, self.gate = opened, gate
        self.errors: list[BaseException] = []
        self.thread = threading.Thread(target=self._work, name="first")

    def _work(self) -> None:
        try:
            with self.opened() as queue:
                queue.drain()
        except BaseException as error:  # noqa: BLE001 - asserted in the main thread
            self.errors.append(error)
            self.gate.reached.set()

    def __enter__(self) -> Self:
        self.thread.start()
        assert self.gate.reached.wait(LIMIT)
        assert self.errors == []
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.go.set()
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()
        assert self.errors == []


def lose_lease(queue: Queue) -> None:
    """As when the minute of a stopped process is over."""
    lease = queue.bench.store.lease(f"queue:{queue.bench.target}")
    assert lease is not None
    assert queue.bench.store.release(lease)
