"""A git child that is talked to over pipes; :meth:`worktrees.git.Git.converse` starts it, nobody else."""

from __future__ import annotations

import contextlib
import os
from subprocess import TimeoutExpired  # noqa: TID251 - how a wait for git.py's child ends
from typing import TYPE_CHECKING, Any, BinaryIO

from plans.effects import step
from plans.systems import WINDOWS, lock, unlock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Conversation:
    """One child. For one thread at a time.

    ``lock`` is the open file of the write lock. The child has inherited it: what is locked here is locked
    for as long as either of the two lives and has not unlocked it.
    """

    def __init__(self, process: Any, lock: BinaryIO) -> None:
        """``process``: GitPython's wrapper, which ends the child when it is forgotten."""
        self._process = process
        self._lock = lock

    @property
    def is_alive(self) -> bool:
        """Whether the child has not ended yet."""
        return self._process.proc.poll() is None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock shared. After an error it stays held until the child has ended: close it."""
        if WINDOWS:
            yield
            return
        lock(self._lock.fileno(), wait=True, shared=True)
        yield
        unlock(self._lock.fileno())

    def say(self, data: bytes) -> None:
        """Write to the child; raises :class:`BrokenPipeError` when it has ended."""
        self._process.proc.stdin.write(data)
        self._process.proc.stdin.flush()

    def line(self) -> bytes:
        """The child's next line without its end; empty when it has ended."""
        line: bytes = self._process.proc.stdout.readline()
        return line.rstrip(b"\n")

    def listen(self, seconds: float) -> tuple[int, bytes, str] | None:
        """Wait for the end of a child that is told no more; return its status, output and messages.

        None when it has not ended after so many seconds; then it may be listened to again.
        """
        process = self._process.proc
        try:
            output, messages = process.communicate(timeout=seconds)
        except TimeoutExpired:
            return None
        return process.returncode, output, messages.decode("utf-8", "replace")

    def signal(self, number: int) -> None:
        """Send a signal to the child and to what it started; harmless when they have ended."""
        process = self._process.proc
        with contextlib.suppress(ProcessLookupError), step("remote.end"):
            if WINDOWS:
                process.send_signal(number)
            else:
                os.killpg(process.pid, number)

    def end(self) -> tuple[int, str]:
        """Wait for the end of a child that has no more to do; return its status and its messages."""
        process = self._process.proc
        with contextlib.suppress(BrokenPipeError):  # what was left to write to a child that died
            process.stdin.close()
        messages: bytes = process.stderr.read()
        return process.wait(), messages.decode("utf-8", "replace")

    def close(self) -> None:
        """End the child and let go of everything; harmless when repeated."""
        process = self._process.proc
        if not process.stderr.closed:
            self.end()
        process.stdout.close()
        process.stderr.close()
        self._lock.close()
