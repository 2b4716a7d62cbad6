"""planctl as a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestrator.store.protocol import Store
from tests.support import forkserver

LIMIT = 60.0
"""Seconds to wait for what has to come."""
COMMAND = (sys.executable, "-m", "orchestrator.cli")

_IGNORE = (
    "import os, signal, sys\n"
    "for n in sys.argv[1].split(','): signal.signal(int(n), signal.SIG_IGN)\n"
    "os.execv(sys.argv[2], sys.argv[2:])"
)
_started: list[subprocess.Popen[str]] = []


@dataclass(frozen=True)
class Done:
    """What a finished process said."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def start(
    *arguments: str,
    cwd: Path,
    env: dict[str, str] | None = None,
    group: bool = False,
    ignored: tuple[signal.Signals, ...] = (),
    script: str | None = None,
) -> subprocess.Popen[str]:
    """Start planctl; stdin is empty, stdout and stderr are pipes.

    ``group`` makes it a process group of its own, ``ignored`` are signals that it is to find ignored.
    ``script`` is another Python program.
    """

    wrapper = (sys.executable, "-c", _IGNORE, ",".join(str(int(n)) for n in ignored)) if ignored else ()
    program = (sys.executable, script) if script else COMMAND
    environment = {**os.environ, **(env or {})}
    is_forked = not (ignored or script) and forkserver.is_wanted(environment)
    process = (forkserver.Forked if is_forked else subprocess.Popen[str])(
        arguments if is_forked else [*wrapper, *program, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        process_group=0 if group else None,
    )
    _started.append(process)
    return process


def end_started() -> None:
    """Kill what a test has started and not waited for."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 90) -> Done:
    """Run planctl to its end."""
    process = start(*arguments, cwd=cwd, env=env)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"planctl {arguments} hangs\n{out[-3000:]}\n{err[-3000:]}") from None
    return Done(process.returncode, out, err)


def until(what: Callable[[], Any]) -> Any:
    """What ``what`` gives once it gives something, which it is asked for again and again."""
    deadline = time.monotonic() + LIMIT
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        threading.Event().wait(0.01)
    return found


def halt(process: subprocess.Popen[str], store: Store) -> None:
    """Stop it (SIGSTOP) while it writes nothing to the store: for that all others would wait, rightly."""
    with store.transaction():
        process.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


def read_until(process: subprocess.Popen[str], event: str, plan: str | None = None) -> dict[str, Any]:
    """Read events of a planctl that was started with --json until this one comes; return it."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        value: dict[str, Any] = json.loads(line)
        if value.get("event") == event and plan in (None, value.get("plan")):
            return value
    raise AssertionError(f"{event} did not come\n{''.join(seen)}\n{_rest_of(process)}")


def end_of(process: subprocess.Popen[str], timeout: float = 90) -> Done:
    """Wait for the end of a planctl that was started; what has not been read yet is in the result."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"planctl hangs\n{out[-3000:]}\n{err[-3000:]}") from None
    return Done(process.returncode, out, err)


def _rest_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()
