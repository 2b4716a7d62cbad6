"""Workers of the queue as processes of their own, in a few milliseconds: forked from one that has loaded all.

That one (this module as a program) has a single thread and opens no store, so a fork of it is as good as a
new process. A worker drains the queue and ends. At a moment of its steps (``step:before|after:N``, as in
``plans/effects.py``) it can be sent a signal: SIGKILL ends it, SIGSTOP halts it until it is sent SIGCONT.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plans import effects
from tests.support.queues import queue_of
from tests.support.repo import GitRepo
from worktrees import fetch

ROOT = Path(__file__).resolve().parents[2]
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
only_where_processes_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")


@dataclass
class Worker:
    """One of them; ``code`` is None while it lives, negative after a signal."""

    nursery: Nursery
    pid: int
    log: Path
    code: int | None = None

    def wait(self) -> bool:
        """Wait until it has ended (True) or is halted (False)."""
        status = self.nursery.ask(wait=self.pid)["status"]
        if os.WIFSTOPPED(status):
            return False
        self.code = os.waitstatus_to_exitcode(status)
        return True

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill it, if it lives."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            while not self.wait():
                pass

    def require_well(self) -> None:
        assert self.code == 0, f"a worker ended with {self.code}\n{self.log.read_text()}"


@dataclass
class Nursery:
    """The process that they are forked from."""

    folder: Path
    process: subprocess.Popen[str]
    born: list[Worker] = field(default_factory=list)

    def ask(self, **order: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, repo: GitRepo, at: str = "", number: int = _KILL, trace: str = "") -> Worker:
        """Start a worker at ``repo``; at the moment ``at`` it gets the signal ``number``."""
        log = self.folder / f"worker-{len(self.born)}.log"
        order = {"repo": str(repo.path), "at": at, "number": int(number), "log": str(log), "trace": trace}
        worker = Worker(self, self.ask(**order, environment=dict(os.environ))["pid"], log)
        self.born.append(worker)
        return worker

    def drain(self, repo: GitRepo) -> None:
        """One worker from its beginning to its end."""
        worker = self.start(repo)
        assert worker.wait()
        worker.require_well()


@contextlib.contextmanager
def nursery_in(folder: Path) -> Iterator[Nursery]:
    """A nursery; its logs go to ``folder``, and what still lives at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.nursery"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    nursery = Nursery(folder, process)
    try:
        yield nursery
    finally:
        for worker in nursery.born:
            worker.end()
        process.communicate(timeout=60)


def _serve() -> None:
    """Carry out orders, one a line: to fork a worker, or to wait for one."""
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = {"status": os.waitpid(order["wait"], os.WUNTRACED)[1]}
        else:
            pid = os.fork()
            if pid == 0:
                _live(order)
            answer = {"pid": pid}
        os.write(1, json.dumps(answer).encode() + b"\n")


def _live(order: dict[str, Any]) -> None:
    """What a worker does from its birth to its end; does not return."""
    code = 1
    try:
        os.environ.clear()
        os.environ.update(order["environment"])
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, end in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, end)
        os.chdir(order["repo"])
        vars(fetch)["PATIENCE"] = 1.0  # who is halted with the mirror's lock is waited for by each that comes
        arm(order["at"], order["number"], order["trace"])
        with queue_of(GitRepo(Path(order["repo"]))) as queue:
            queue.drain()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def arm(at: str, number: int, trace: str = "") -> None:
    """Send this process the signal at the moment; write down each moment that is met in ``trace``."""
    if not at and not trace:
        return
    meet = effects._moment

    def moment(name: str, side: str) -> None:
        meet(name, side)
        met = f"{name}:{side}:{effects._seen[f'{name}:{side}']}"
        if trace:
            with Path(trace).open("a") as out:
                out.write(f"{met}\n")
        if met == at:
            os.kill(os.getpid(), number)

    effects._ARMED = True
    effects._moment = moment


if __name__ == "__main__":
    _serve()
