"""A clone with a queue of its own: what was handed in there, and what its store and git say."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from plans import systems
from tests.support.queues import Queue, queue_of
from tests.support.repo import GitRepo


@dataclass
class Job:
    """A head that was handed in. ``since``: how many commits main had then; ``wanted``: nobody dropped it."""

    key: str
    branch: str
    head: str
    after: tuple[str, ...]
    since: int
    wanted: bool = True


@dataclass
class Seat:
    """``jobs`` by key; ``standing``: what the user's checkout is to stay like."""

    repo: GitRepo
    jobs: dict[str, Job] = field(default_factory=dict)
    standing: str = ""
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def begin(self) -> None:
        """The user edits a file, and opens a session at the queue."""
        self.repo.git("checkout", "-q", "--detach")
        self.repo.write("README.md", "the user's edit\n")
        self.standing = self.checkout()
        self.restart()

    def restart(self) -> None:
        """The user's own planctl ends, if there is one, and begins anew."""
        self._open.close()
        self.queue: Queue = self._open.enter_context(queue_of(self.repo))
        self.target = self.queue.bench.target

    def end(self) -> None:
        self._open.close()

    def checkout(self) -> str:
        return self.repo.git("status", "--porcelain=v2", "--branch")

    def references(self) -> dict[str, str]:
        return references_of(self.repo)

    def verdicts(self, tree: str) -> set[bool | None]:
        """What checks have said of a tree here."""
        with self._sql("?mode=ro") as store:
            found = store.execute("SELECT passed FROM verdicts WHERE tree = ?", (tree,)).fetchall()
        return {None if passed is None else bool(passed) for (passed,) in found}

    def expire_lease(self) -> None:
        """The minute of whoever holds the queue is over."""
        with self._sql() as store, store:
            store.execute("UPDATE leases SET expires = 0 WHERE name = ?", (f"queue:{self.target}",))

    def grants(self) -> int:
        """How many times the queue has been given to somebody."""
        with self._sql("?mode=ro") as store:
            found = store.execute("SELECT token FROM lease_tokens WHERE name = ?", (f"queue:{self.target}",))
            return int(found.fetchone()[0])

    def is_kept_out(self) -> bool:
        """Whether somebody is in a transaction of the store, or has the lock on git's list of worktrees."""
        with (self.repo.path / ".git/planctl/worktrees.lock").open("ab") as lock:
            if not systems.lock(lock.fileno(), wait=False):
                return True
        with self._sql(seconds=0) as store:
            try:
                store.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
        return False

    @contextlib.contextmanager
    def _sql(self, options: str = "", seconds: float = 60) -> Iterator[sqlite3.Connection]:
        path = f"file:{self.repo.path}/.git/planctl/state.db{options}"
        with contextlib.closing(sqlite3.connect(path, uri=True, timeout=seconds)) as store:
            yield store


def references_of(repo: GitRepo) -> dict[str, str]:
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split() for line in lines)
