"""A merge queue on real git and a real store, worked at in this process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.bootstrap import Remote, working
from orchestrator.merging.worker import QueueWorker
from orchestrator.services import queue as service
from orchestrator.sessions.registry import SessionHandle
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import EntryState
from orchestrator.store.records import Entry, StoredEvent
from orchestrator.workbench import Workbench
from tests.support.repo import GitRepo
from worktrees.repository import find

MAIN = "refs/heads/main"


@dataclass
class Queue:
    """One session at the queue of a repository, and what a user does beside it."""

    repo: GitRepo
    bench: Workbench
    session: SessionHandle
    cancel: threading.Event = field(default_factory=threading.Event)

    def add(self, branch: str, **options: Any) -> Entry:
        return service.add(self.bench, branch, **options)

    def work(self, branch: str, files: dict[str, str | bytes], start: str = "main", **options: Any) -> Entry:
        """A branch with one commit, queued."""
        self.repo.branch(branch, files, start)
        return self.add(branch, **options)

    def worker(self, **options: Any) -> QueueWorker:
        # The settings are read now, as a new process would.
        bench = self.bench.refreshed()
        return QueueWorker(
            bench,
            self.session,
            SlotKeeper(bench),
            wake=options.pop("wake", threading.Event()),
            cancel=self.cancel,
            **options,
        )

    def drain(self, **options: Any) -> None:
        self.worker(**options).drain(lambda idle: idle)

    def entry(self, entry: Entry | str) -> Entry:
        found = self.bench.store.entry(entry if isinstance(entry, str) else entry.id)
        assert found is not None
        return found

    def land(self, branch: str, files: dict[str, str | bytes], **options: Any) -> Entry:
        """Queue a branch with one commit, and drain."""
        entry = self.work(branch, files, **options)
        self.drain()
        return self.entry(entry)

    def states(self) -> dict[str, str]:
        return {e.branch: str(e.state) for e in self.bench.store.entries()}

    def events(self, name: str = "") -> list[StoredEvent]:
        return [e for e in self.bench.store.events_after(0, limit=100_000) if e.event.startswith(name)]

    def main(self) -> str:
        return self.repo.head(MAIN)

    def checks_run(self) -> int:
        return len(self.events("check.started"))


@contextlib.contextmanager
def queue_of(repo: GitRepo, kind: str = "queue") -> Iterator[Queue]:
    with working(find(repo.path), kind, remote=Remote()) as (bench, session):
        yield Queue(repo, bench, session)
        bench.store.close()


def drain_beside(queue: Queue, person: Callable[[], None]) -> None:
    """Drain while a person acts; an error of theirs ends the drain and is raised here."""
    errors: list[AssertionError] = []

    def act() -> None:
        try:
            person()
        except AssertionError as error:
            errors.append(error)
            queue.cancel.set()

    beside = threading.Thread(target=act)
    beside.start()
    queue.drain()
    beside.join()
    for error in errors:
        raise error


def configure(repo: GitRepo, **keys: Any) -> str:
    """Commit a ``planctl.yaml`` of these keys on main."""
    text = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return repo.commit("settings", {"planctl.yaml": text})


def require_sound(repo: GitRepo) -> None:
    """What holds after everything: no lock file, no dirt, references and objects well."""
    git = repo.path / ".git"
    locks = [p for p in git.rglob("*.lock") if "planctl" not in p.relative_to(git).parts[:1]]
    locks += [*(git / "planctl" / "desk").rglob("*.lock")]
    assert locks == [], locks
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def landed_once(repo: GitRepo, key: str) -> str:
    """The one commit of main's history that carries the key; fails when there are none or several."""
    found = repo.git("log", "--format=%H", f"--grep=^Planctl-Key: {key}$", MAIN).split()
    assert len(found) == 1, f"{key}: {found}"
    return found[0]


def is_clean(repo: GitRepo, at: Path | None = None) -> bool:
    return repo.git("status", "--porcelain", at=at) == ""


LANDED = EntryState.LANDED
