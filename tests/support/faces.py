"""Situations for tests of commands: plans that wait for a word, runs in another process, dead sessions."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.bootstrap import open_readonly_store, open_store, working
from orchestrator.clock import SystemClock
from orchestrator.sessions.identity import here, started
from orchestrator.sessions.registry import SessionHandle
from orchestrator.store.protocol import Store
from orchestrator.store.records import Session
from orchestrator.workbench import Workbench
from tests.support.records import a_session
from tests.support.repo import GitRepo
from worktrees.repository import find

LIMIT = 60.0


@contextlib.contextmanager
def bench_at(repo: GitRepo) -> Iterator[tuple[Workbench, SessionHandle]]:
    with working(find(repo.path), "test") as pair:
        yield pair


@contextlib.contextmanager
def store_of(repo: GitRepo) -> Iterator[Store]:
    """The store to write situations into; made when there is none."""
    with contextlib.closing(open_store(find(repo.path)).store) as store:
        yield store


@contextlib.contextmanager
def reading(repo: GitRepo) -> Iterator[Store]:
    with contextlib.closing(open_readonly_store(find(repo.path))) as store:
        yield store


def write_plan(repo: GitRepo, plan: str, run: str | None = None, **header: str) -> None:
    """A plan file in ``plans/``, not committed; header values are YAML."""
    lines = [f"{key}: {value}" for key, value in header.items()]
    lines += [f"run: {run!r}"] if run is not None else []
    repo.write(f"plans/{plan}.md", "\n".join(["---", f"plan: {plan}", *lines, "---", f"# {plan}", ""]))


def dead_process() -> tuple[int, float]:
    """Pid and start of a real process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = started(process.pid)
    assert mark is not None
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    return process.pid, mark


def add_session(store: Store, key: str, pid: int, mark: float, **fields: Any) -> Session:
    """A session of that process, as a killed planctl would leave it."""
    clock = SystemClock()
    known = {"host": here(), "boot": clock.boot(), "expires": clock.monotonic() + 60, **fields}
    session = a_session(key, pid=pid, process_started=mark, **known)
    store.add_session(session)
    return session


def add_dead_session(store: Store, key: str = "dead", **fields: Any) -> Session:
    return add_session(store, key, *dead_process(), **fields)


def cli(repo: GitRepo, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """A planctl of its own, standing in the repository."""
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        cwd=repo.path,
        env={**options.pop("env", os.environ), "PYTHONPATH": str(root)},
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        **options,
    )


class Gate:
    """A plan's command says that it has begun, and goes on when it is let."""

    def __init__(self, folder: Path, name: str = "gate") -> None:
        self._begun = folder / f"{name}.begun"
        self._go = folder / f"{name}.go"
        os.mkfifo(self._begun)
        os.mkfifo(self._go)

    @property
    def command(self) -> str:
        """To be part of a shell command line."""
        return f"echo begun > {self._begun}; read word < {self._go}"

    def wait(self) -> None:
        """Return when the command has begun."""
        assert self._begun.read_text(encoding="ascii") == "begun\n"

    def open(self) -> None:
        self._go.write_text("go\n", encoding="ascii")


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below ``folder`` with its bytes and time of change: what must not change.

    The store's shared memory is left out: SQLite notes there who reads while others have it open.
    """
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())
    files = (p for p in files if p.name != "state.db-shm")
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}
