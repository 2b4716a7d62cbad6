"""A short command that is run to its end, or to the end of its time: then its process group is killed.

Promise: when :func:`run_errand` returns, the command and what it started in its process group are dead or
have ended. Not promised: anything about what left that group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.running.log import plain
from plans import systems
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import IO

_FIRST_LOOK: Final = 0.005
_LOOK: Final = 0.05
_LAST: Final = 4096


@dataclass(frozen=True, slots=True)
class Errand:
    """``argv`` with ``stdin``, in the folder ``cwd``; ``timeout`` in seconds."""

    argv: tuple[str, ...]
    stdin: bytes
    environment: Mapping[str, str]
    cwd: Path
    timeout: float


@dataclass(frozen=True, slots=True)
class Ran:
    """How it ended: ``exit_code`` None when it was not started (``output`` says why) or ran out of time."""

    exit_code: int | None
    output: str
    timed_out: bool = False


def run_errand(errand: Errand, is_over: Callable[[], bool]) -> Ran:
    """Run it until it ends, or ``is_over`` says that it has had its time."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(errand.stdin)
        given.seek(0)
        try:
            with step("running.errand"):
                child = subprocess.Popen(
                    list(errand.argv),
                    stdin=given,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    cwd=errand.cwd,
                    env=dict(errand.environment),
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in it
            return Ran(None, f"{plain(errand.argv[0])}: {error}")
        try:
            ended = _wait(child, is_over)
        finally:
            _end(child)
        return Ran(child.returncode if ended else None, _last_line(said), timed_out=not ended)


def _wait(child: subprocess.Popen[bytes], is_over: Callable[[], bool]) -> bool:
    """Whether it ended by itself. It is not buried yet: its number is nobody else's."""
    pause = _FIRST_LOOK
    while not _has_ended(child):
        if is_over():
            return False
        threading.Event().wait(pause)
        pause = min(2 * pause, _LOOK)
    return True


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    if not systems.POSIX:
        return child.poll() is not None
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of its group, then bury it: until then the group's number is its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError), step("running.errand-end"):
        if systems.POSIX:
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _last_line(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _LAST))
    lines = [plain(line) for line in said.read().decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")
