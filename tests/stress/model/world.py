"""A real queue, and what people and accidents do to it. Every worker is a process."""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.merging.jumping import AT_TURN
from orchestrator.merging.order import in_order
from orchestrator.services import queue as service
from orchestrator.services.jumping import jump
from orchestrator.states import OPEN_ENTRIES, EntryState
from orchestrator.submitting.submit import Work, submit
from tests.stress.model.check import Steering
from tests.stress.model.oracle import Tree, changed, faults
from tests.stress.model.seat import Job, Seat
from tests.support.nursery import Nursery, Worker
from tests.support.queues import MAIN, Queue
from tests.support.repo import GitRepo

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
class World:
    """What has been done, beside the real thing.

    ``seats`` are the clones with a queue, people work at the first; ``there`` is the repository whose main
    counts; ``eye`` one that has the objects of all of them; ``apart``: its lanes skip each other's checks.
    ``branches`` with their heads and ``markers`` with a file of theirs by name; ``main`` the
    first-parent commits known so far, ``outside`` those that somebody else made; ``landed`` the
    commit that a key made; ``halted`` workers; ``pruned``: objects were pruned while a worker was halted;
    ``vouched``: commits on which a person let the queue go on.
    ``tally`` counts what has happened.
    """

    folder: Path
    seats: tuple[Seat, ...]
    there: GitRepo
    eye: GitRepo
    nursery: Nursery
    steering: Steering
    apart: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)
    main: list[str] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)
    landed: dict[str, str] = field(default_factory=dict)
    halted: list[Worker] = field(default_factory=list)
    pruned: bool = False
    vouched: set[str] = field(default_factory=set)
    tally: Counter[str] = field(default_factory=Counter)
    _granted: list[int] = field(default_factory=list)
    _trees: dict[str, Tree] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.main.append(self.there.head(MAIN))
        for seat in self.seats:
            seat.begin()

    @property
    def home(self) -> Seat:
        """Where people work."""
        return self.seats[0]

    @property
    def jobs(self) -> dict[str, Job]:
        """What was handed in there."""
        return self.home.jobs

    @property
    def queue(self) -> Queue:
        """Their session at the queue."""
        return self.home.queue

    @property
    def repo(self) -> GitRepo:
        """Their clone."""
        return self.home.repo

    # -- what people do ------------------------------------------------------------------------------------

    def branch(self, kind: str, start: int, parent: int | None) -> str:
        """A new branch, from one of main's commits or from another branch's head; returns its name."""
        number = next(self._numbers)
        name, marker = f"b{number}", f"own-{number}"
        base = self.main[max(len(self.main) - 1 - start, 0)]
        if parent is not None and self.branches:
            base = [*self.branches.values()][parent % len(self.branches)]
        self.markers[name] = marker
        self._push(name, base, self._files(kind, number, marker))
        return name

    def _push(self, name: str, start: str, files: dict[str, str], gone: tuple[str, ...] = ()) -> None:
        """A new commit on a branch of the people's."""
        self.branches[name] = self._commit(self.repo, f"refs/heads/{name}", start, files, gone)

    def _files(self, kind: str, number: int, marker: str) -> dict[str, str]:
        text = f"{number} of its own kind\n"
        if self.apart and kind.startswith("half-"):
            kind = "own"  # what has no path in common and breaks together is what lanes may miss
        name = {"own": marker, "bad": f"bad-{number}"}.get(kind, kind)
        return {marker: f"marker {text}", name: text}

    def hand_in(
        self, name: str, *, after: str | None = None, method: str | None = None, seat: Seat | None = None
    ) -> None:
        """Queue a branch, as a plan that lands after another where ``after`` names one."""
        self.tally["handed in"] += 1
        seat = seat or self.home
        head = self.branches[name]
        if after is None:
            entry = seat.queue.add(name, method=method)
        else:
            base = self.eye.git("merge-base", self.there.head(MAIN), head)
            work = Work(seat.target, name, head, base, plan=name, after=(after,), method=method)
            entry = submit(seat.queue.bench, work)
        job = seat.jobs.setdefault(entry.id, Job(entry.id, name, head, entry.after, len(self.main)))
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
        self.tally["pushed again"] += 1
        number = next(self._numbers)
        files = self._files(kind, number, f"own-{number}")
        self.markers[name] = f"own-{number}"
        gone = faults(self.tree(self.branches[name])) if kind == "own" else ()
        self._push(name, self.branches[name], files, gone)

    def _one_of_the_last(self, number: int) -> Job:
        last = [*self.jobs.values()][-6:]
        return last[number % len(last)]

    def drop(self, number: int) -> None:
        """A person takes one of the last entries out, if it can still be."""
        if not self.jobs:
            return
        job = self._one_of_the_last(number)
        with contextlib.suppress(NothingToDoError, UsageError):
            service.drop(self.queue.bench, job.key)
            job.wanted = False
            self.tally["cancelled"] += 1

    def jump(self, number: int) -> None:
        """A person lifts one of the last entries to the head of the queue, if it waits or is at its turn."""
        if not self.jobs:
            return
        job = self._one_of_the_last(number)
        with contextlib.suppress(UsageError):
            line = jump(self.queue.bench, job.key).line
            self.tally["lifted"] += 1
            ordered = in_order(self.queue.bench.store.entries(target=self.home.target, states=OPEN_ENTRIES))
            found = [entry.id for entry in ordered[: len(line)]]
            is_first = found == [entry.id for entry in line]
            assert is_first or line[-1].state in AT_TURN, f"{job} is not first: {ordered}"

    def push_outside(self, kind: str) -> None:
        """Somebody moves main without the queue."""
        self.tally["pushed past"] += 1
        number, tip = next(self._numbers), self.there.head(MAIN)
        if kind == "mend":
            files, gone = {f"own-{number}": f"mended {number}\n"}, faults(self.tree(tip))
        else:
            files, gone = self._files(kind, number, f"own-{number}"), ()
        self.outside.add(self._commit(self.there, MAIN, tip, files, gone))

    def collect(self) -> None:
        """``git gc`` takes away whatever nothing refers to."""
        self.tally["collected"] += 1
        self.pruned = self.pruned or bool(self.halted)
        self.repo.git("gc", "-q", "--prune=now")

    def restart(self) -> None:
        """The user's own planctl ends and begins anew."""
        self.tally["restarted"] += 1
        self.home.restart()

    def lay(self, name: str, flaw: str, times: int) -> None:
        self.steering.lay(self.markers[name], flaw, times)

    # -- workers -------------------------------------------------------------------------------------------

    def drain(self) -> None:
        self.nursery.drain(self.repo)

    def kill_at(self, moment: str, seat: Seat | None = None) -> None:
        worker = self.nursery.start((seat or self.home).repo, moment)
        assert worker.wait()
        assert worker.code in (0, -signal.SIGKILL), worker.log.read_text()
        self.tally["killed"] += worker.code != 0

    def halt_at(self, moment: str) -> None:
        """A worker is stopped at the moment, if it comes to it, and its minute is over.

        One whose other thread was just where nobody else may be keeps all out, by the kernel; it goes on.
        """
        worker = self.nursery.start(self.repo, moment, signal.SIGSTOP)
        has_ended = worker.wait()
        if not has_ended and self.home.is_kept_out():
            worker.go_on()
            has_ended = worker.wait()
        if has_ended:
            worker.require_well()
            return
        self.halted.append(worker)
        self.tally["halted"] += 1
        self._granted.append(self.home.grants())
        self.home.expire_lease()

    def wake(self) -> None:
        """The worker that was stopped first goes on, and comes to its end."""
        if self.halted:
            worker = self.halted.pop(0)
            self.tally["robbed"] += self.home.grants() > self._granted.pop(0)
            worker.go_on()
            assert worker.wait()
            worker.require_well()

    # -- looking -------------------------------------------------------------------------------------------

    def tree(self, commit: str) -> Tree:
        if commit not in self._trees:
            lines = self.eye.git("ls-tree", "-r", commit).splitlines()
            self._trees[commit] = {path: about.split()[2] for about, path in (x.split("\t") for x in lines)}
        return self._trees[commit]

    def verdicts(self, tree: str) -> set[bool | None]:
        """What checks have said of a tree, wherever they ran."""
        return set().union(*(seat.verdicts(tree) for seat in self.seats))

    def _commit(
        self, repo: GitRepo, reference: str, start: str, files: dict[str, str], gone: tuple[str, ...] = ()
    ) -> str:
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
        commit = repo.git("fast-import", "--quiet", "--done", stdin=text).strip()
        expected = changed(self.tree(start), files, gone)
        assert self.tree(commit) == expected
        return commit

    def close(self) -> None:
        for worker in self.halted:
            worker.end()
        self.tally["flaked"] += self.steering.has_met("flake")
        self.tally["timed out"] += self.steering.has_met("hang")
        for seat in self.seats:
            said = [event.data["passed"] for event in seat.queue.events("check.finished")]
            self.tally.update(passed=said.count(True), failed=said.count(False))
            seat.end()
