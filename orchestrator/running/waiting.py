"""Wait for many commands at once without looking at them over and over.

On Linux the kernel says when a supervisor has ended (a process descriptor becomes readable); elsewhere, and
for a plain ``threading.Event``, the look is repeated every :data:`SLICE` seconds. A :class:`Wake` needs no
slices, and may be set from a signal handler, where a plain Event can dead-lock.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
import time
from typing import TYPE_CHECKING, Final

from orchestrator.running import platforms, supervision, trees
from orchestrator.running.spec import GRACE, CommandSpec, Ended, Outcome, Running, Supervised
from plans import systems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SLICE: Final = 0.05
"""Seconds between looks where the kernel cannot say."""
_ANSWER: Final = 5.0


class Wake(threading.Event):
    """An event made of a pipe: may be waited for together with processes, and set in a signal handler.

    It is set as well while ``beside`` is, which it does not clear.
    """

    def __init__(self, beside: Wake | None = None) -> None:
        super().__init__()
        self._beside = beside
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        os.set_blocking(self._writes, False)

    def descriptors(self) -> tuple[int, ...]:
        """Of which one at least is readable while the event is set."""
        return (self._reads, *(self._beside.descriptors() if self._beside else ()))

    def set(self) -> None:
        """Set the event."""
        with contextlib.suppress(BlockingIOError):  # a full pipe is set already
            os.write(self._writes, b"\0")

    def clear(self) -> None:
        """Unset the event."""
        with contextlib.suppress(BlockingIOError):  # empty now
            while os.read(self._reads, 4096):
                continue

    def is_set(self) -> bool:
        """Whether it is set."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set or ``timeout`` seconds are over; return whether it is set."""
        return bool(_readable(self.descriptors(), timeout))

    def __del__(self) -> None:
        for descriptor in (self._reads, self._writes):
            os.close(descriptor)


class _Beside(threading.Event):
    """As a :class:`Wake` beside a plain event, which is looked at every :data:`SLICE` seconds."""

    def __init__(self, beside: threading.Event) -> None:
        super().__init__()
        self._other = beside

    def is_set(self) -> bool:
        """Whether either is set."""
        return super().is_set() or self._other.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until either is set or ``timeout`` seconds are over; return whether one is."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            super().wait(min(left, SLICE))
        return self.is_set()


def make_wake(beside: threading.Event | None = None) -> threading.Event:
    """A :class:`Wake`, or where pipes cannot be waited for (Windows) a plain event.

    With ``beside`` it is set while that is, too.
    """
    if beside is None or isinstance(beside, Wake):
        return Wake(beside) if systems.POSIX else threading.Event()
    return _Beside(beside)


def wait(handles: Sequence[Supervised], wake: threading.Event, seconds: float) -> tuple[Supervised, ...]:
    """Wait until a command has ended, ``wake`` is set, or ``seconds`` are over; return those that ended."""
    deadline = time.monotonic() + seconds
    with _descriptors(handles) as descriptors:
        sliced = len(descriptors) < len(handles) or not isinstance(wake, Wake)
        watched = (*descriptors, *wake.descriptors()) if isinstance(wake, Wake) else descriptors
        while True:
            supervision.reap()
            ended = tuple(h for h in handles if isinstance(supervision.poll(h), Ended))
            left = deadline - time.monotonic()
            if ended or left <= 0 or wake.is_set():
                return ended
            _readable(watched, min(left, SLICE) if sliced else left)


@contextlib.contextmanager
def _descriptors(handles: Sequence[Supervised]) -> Iterator[tuple[int, ...]]:
    with contextlib.ExitStack() as stack:
        found = []
        for handle in handles:
            descriptor = platforms.open_process(handle.supervisor, handle.supervisor_started)
            if descriptor is not None:
                stack.callback(os.close, descriptor)
                found.append(descriptor)
        yield tuple(found)


def _readable(descriptors: Sequence[int], seconds: float | None) -> tuple[int, ...]:
    if not systems.POSIX:
        threading.Event().wait(seconds)
        return ()
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    milliseconds = None if seconds is None else max(0, int(seconds * 1000 + 0.999))
    return tuple(descriptor for descriptor, _ in poller.poll(milliseconds))


def find_begun(record_dir: Path, rest: Callable[[float], object] | None = None) -> Supervised | None:
    """As :func:`supervision.find`, for what a dead planctl launched; None if it died before its last word.

    The supervisor hears of that death a moment later than we may, and takes its record back then. ``rest``
    is called with so many seconds until it has: :data:`_ANSWER` seconds at most.
    """
    rest, left = rest or threading.Event().wait, _ANSWER
    while (found := supervision.find(record_dir)) and left > 0 and _waits_for_the_word(found):
        rest(SLICE)
        left -= SLICE
    return found


def _waits_for_the_word(handle: Supervised) -> bool:
    """Whether the command's process still is its supervisor's copy; False where that cannot be told."""
    image = platforms.image_of(handle.pid)
    is_copy = bool(image) and image == platforms.image_of(handle.supervisor)
    return is_copy and isinstance(supervision.poll(handle), Running)


def end(handle: Supervised, grace: float = GRACE, *, for_good: bool = True) -> tuple[int, ...]:
    """Make sure that nothing of a command lives any more; return the pids that could not be ended.

    A supervisor that lives is asked, and waited for; one that does not answer is killed, and its tree ended
    from here. ``for_good`` as in :func:`supervision.stop`. Blocks for ``grace`` seconds and up to twice
    ``trees.KILL_LIMIT`` more.
    """
    if _ask(handle, grace, for_good=for_good):
        limit = grace + trees.KILL_LIMIT + _ANSWER
        if not wait((handle,), threading.Event(), limit):
            supervision.kill_supervisor(handle)
            wait((handle,), threading.Event(), _ANSWER)
    return supervision.stop_tree(handle, grace)


def _ask(handle: Supervised, grace: float | None = None, *, for_good: bool = True) -> bool:
    """Ask the supervisor to end its tree; kill one to which nothing can be written, on a full disk say."""
    try:
        return supervision.stop(handle, grace, for_good=for_good)
    except OSError:  # its tree is ended from here all the same, and its outcome says that it was lost
        supervision.kill_supervisor(handle)
        return True


def run_to_end(spec: CommandSpec, cancel: threading.Event) -> Ended:
    """Launch a command and wait for its end; setting ``cancel`` stops it. For checks and set-up commands.

    A command whose supervisor is killed is ended here, its outcome is ``lost``. Raises what
    :func:`supervision.launch` raises.
    """
    handle = supervision.launch(spec)
    asked, never = False, threading.Event()
    while not wait((handle,), never if asked else cancel, 60.0):
        if cancel.is_set() and not asked:
            asked = _ask(handle)
    state = supervision.poll(handle)
    assert isinstance(state, Ended)
    if state.outcome is Outcome.LOST and state.command_alive:
        left = supervision.stop_tree(handle, spec.grace)
        return Ended(Outcome.LOST, left=left)
    return state
