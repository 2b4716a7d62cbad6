"""A real queue, and what people and accidents do to it. Every worker is a process."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.services import queue as service
from orchestrator.states import EntryState
from orchestrator.submitting.submit import Work, submit
from tests.stress.model.check import Steering
from tests.stress.model.oracle import Tree, changed, faults
from tests.support.nursery import Nursery, Worker
from tests.support.queues import MAIN, configure, queue_of
from tests.support.repo import GitRepo

_LOG = "--format=%H%x00%T%x00%(trailers:key=Planctl-Key,valueonly,separator=%x2C)"
_IMPORT = """\
feature done
commit {reference}
mark :1
committer Ada <ada@example.invalid> {time} +0000
data {size}
{message}
from {start}
{changes}
get-mark :1
done
"""


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
class World:
    """What has been done, beside the real thing.

    ``jobs`` by key, ``branches`` with their heads and ``markers`` with a file of theirs by name; ``main`` the
    first-parent commits known so far, ``outside`` those that somebody else made; ``landed`` the
    commit that a key made; ``halted`` workers; ``pruned``: objects were pruned while a worker was halted.
    """

    repo: GitRepo
    nursery: Nursery
    steering: Steering
    settings: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)
    main: list[str] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)
    landed: dict[str, str] = field(default_factory=dict)
    halted: list[Worker] = field(default_factory=list)
    pruned: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    _trees: dict[str, Tree] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        settings = {"check": self.steering.command, "check_timeout": 2, **self.settings}
        configure(self.repo, **settings)
        self.main.append(self.repo.head(MAIN))
        self.repo.git("checkout", "-q", "--detach")
        self.repo.write("README.md", "the user's edit\n")
        self.standing = self.checkout()
        self.queue = self._open.enter_context(queue_of(self.repo))

    # -- what people do ------------------------------------------------------------------------------------

    def branch(self, kind: str, start: int, parent: int | None) -> str:
        """A new branch, from one of main's commits or from another branch's head; returns its name."""
        number = next(self._numbers)
        name, marker = f"b{number}", f"own-{number}"
        base = self.main[max(len(self.main) - 1 - start, 0)]
        if parent is not None and self.branches:
            base = [*self.branches.values()][parent % len(self.branches)]
        self.markers[name] = marker
        self.branches[name] = self._commit(f"refs/heads/{name}", base, self._files(kind, number, marker))
        return name

    def _files(self, kind: str, number: int, marker: str) -> dict[str, str]:
        text = f"{number} of its own kind\n"
        name = {"own": marker, "bad": f"bad-{number}"}.get(kind, kind)
        return {marker: f"marker {text}", name: text}

    def hand_in(self, name: str, *, after: str | None = None, method: str | None = None) -> None:
        """Queue a branch, as a plan that lands after another where ``after`` names one."""
        head = self.branches[name]
        if after is None:
            entry = self.queue.add(name, method=method)
        else:
            base = self.repo.git("merge-base", MAIN, head)
            work = Work(MAIN, name, head, base, plan=name, after=(after,), method=method)
            entry = submit(self.queue.bench, work)
        job = self.jobs.setdefault(entry.id, Job(entry.id, name, head, entry.after, len(self.main)))
        if not job.wanted or entry.state is EntryState.QUEUED:
            job.since = len(self.main) - 1
        job.wanted = True

    def hand_in_again(self, job: Job) -> None:
        """A person hands in what came to nothing."""
        entry = self.queue.add(job.key)
        if entry.state is EntryState.QUEUED and not job.wanted:
            job.since = len(self.main) - 1
        job.wanted = True

    def push_again(self, name: str, kind: str) -> None:
        """A new commit on the branch: mended to what main says of it, or more of the same."""
        number = next(self._numbers)
        files = self._files(kind, number, f"own-{number}")
        self.markers[name] = f"own-{number}"
        gone = faults(self.tree(self.branches[name])) if kind == "own" else ()
        self.branches[name] = self._commit(f"refs/heads/{name}", self.branches[name], files, gone)

    def drop(self, number: int) -> None:
        """A person takes an entry out, if it can still be."""
        if not self.jobs:
            return
        job = [*self.jobs.values()][number % len(self.jobs)]
        with contextlib.suppress(NothingToDoError, UsageError):
            service.drop(self.queue.bench, job.key)
            job.wanted = False

    def push_outside(self, kind: str) -> None:
        """Somebody moves main without the queue."""
        number, tip = next(self._numbers), self.repo.head(MAIN)
        if kind == "mend":
            files, gone = {f"own-{number}": f"mended {number}\n"}, faults(self.tree(tip))
        else:
            files, gone = self._files(kind, number, f"own-{number}"), ()
        self.outside.add(self._commit(MAIN, tip, files, gone))

    def collect(self) -> None:
        """``git gc`` takes away whatever nothing refers to."""
        self.pruned = self.pruned or bool(self.halted)
        self.repo.git("gc", "-q", "--prune=now")

    def restart(self) -> None:
        """The user's own planctl ends and begins anew."""
        self._open.close()
        self.queue = self._open.enter_context(queue_of(self.repo))

    def lay(self, name: str, flaw: str, times: int) -> None:
        self.steering.lay(self.markers[name], flaw, times)

    # -- workers -------------------------------------------------------------------------------------------

    def drain(self) -> None:
        self.nursery.drain(self.repo)

    def kill_at(self, moment: str) -> None:
        worker = self.nursery.start(self.repo, moment)
        assert worker.wait()
        assert worker.code in (0, -signal.SIGKILL), worker.log.read_text()
        self.tally["killed"] += worker.code != 0

    def halt_at(self, moment: str) -> None:
        """A worker is stopped at the moment, if it comes to it, and its minute is over."""
        worker = self.nursery.start(self.repo, moment, signal.SIGSTOP)
        if worker.wait():
            worker.require_well()
            return
        self.halted.append(worker)
        self.tally["halted"] += 1
        expire_lease(self.repo)

    def wake(self) -> None:
        """The worker that was stopped first goes on, and comes to its end."""
        if self.halted:
            worker = self.halted.pop(0)
            worker.go_on()
            assert worker.wait()
            worker.require_well()

    # -- looking -------------------------------------------------------------------------------------------

    def tree(self, commit: str) -> Tree:
        if commit not in self._trees:
            lines = self.repo.git("ls-tree", "-r", commit).splitlines()
            self._trees[commit] = {path: about.split()[2] for about, path in (x.split("\t") for x in lines)}
        return self._trees[commit]

    def verdicts(self, tree: str) -> set[bool | None]:
        """What checks have said of a tree."""
        with self._sql() as store:
            found = store.execute("SELECT passed FROM verdicts WHERE tree = ?", (tree,)).fetchall()
        return {None if passed is None else bool(passed) for (passed,) in found}

    @contextlib.contextmanager
    def _sql(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self.repo.path}/.git/planctl/state.db?mode=ro", uri=True)
        ) as store:
            yield store

    def references(self) -> dict[str, str]:
        lines = self.repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split() for line in lines)

    def checkout(self) -> str:
        return self.repo.git("status", "--porcelain=v2", "--branch")

    def _commit(self, reference: str, start: str, files: dict[str, str], gone: tuple[str, ...] = ()) -> str:
        number = next(self._numbers)
        message = f"work {number}"
        changes = [f"D {path}" for path in gone]
        changes += [f"M 100644 inline {path}\ndata {len(text)}\n{text}" for path, text in files.items()]
        text = _IMPORT.format(
            reference=reference,
            time=1_700_000_000 + number,
            size=len(message),
            message=message,
            start=start,
            changes="\n".join(changes),
        )
        commit = self.repo.git("fast-import", "--quiet", "--done", stdin=text).strip()
        expected = changed(self.tree(start), files, gone)
        assert self.tree(commit) == expected
        return commit

    def close(self) -> None:
        for worker in self.halted:
            worker.end()
        self._open.close()


def expire_lease(repo: GitRepo) -> None:
    """The minute of whoever holds the queue is over."""
    with contextlib.closing(sqlite3.connect(repo.path / ".git/planctl/state.db", timeout=60)) as store, store:
        store.execute("UPDATE leases SET expires = 0 WHERE name = ?", (f"queue:{MAIN}",))
