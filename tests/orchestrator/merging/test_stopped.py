"""S7: a worker's process is stopped (SIGSTOP), its minute is over, others land, it wakes up (SIGCONT).

It changes nothing then, and goes back to waiting. Left out are moments at which the kernel keeps everybody
else out for as long as the process lives, stopped or not: in a transaction of the store
(``store.commit:before``), and with the lock on git's list of worktrees (``provision.add``). There nothing can
land meanwhile.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import LocksInTheWayError
from orchestrator.merging.takeover import take_over
from orchestrator.merging.tenure import EPOCH
from orchestrator.states import EntryState, IntentState, SlotState
from tests.support.faces import store_of
from tests.support.invariants import require_invariants
from tests.support.nursery import Nursery, Worker, nursery_in, only_where_processes_fork
from tests.support.queues import MAIN, Queue, configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import mostly
from tests.support.standin import before_git

pytestmark = only_where_processes_fork

LIMIT = 60.0
LEASE = f"queue:{MAIN}"
FIRST_COMMIT, LAST_COMMIT = 4, 12
"""Of the store, as a worker counts them: those from its epoch to its intent."""
STEPS = (
    "queue.epoch:{}:1",
    "objects.write:{}:2",
    "candidate.keep:{}:1",
    "provision.checkout:{}:1",
    "reuse.clean:{}:1",
    "running.folders:{}:1",
    "running.launch:{}:1",
    "landing.refs:{}:1",
    "candidate.forget:{}:1",
)
CHECKOUT_STEPS = (
    *("checkout.draft:{}:1", "checkout.lock:{}:1", "checkout.copy:{}:1", "checkout.try:{}:1"),
    *("landing.refs:{}:1", "checkout.update:{}:1", "checkout.index:{}:1", "checkout.unlock:{}:1"),
)
SIDES = ("before", "after")
MOMENTS = [
    *(step.format(side) for step in STEPS for side in SIDES),
    *(f"store.commit:after:{number}" for number in range(FIRST_COMMIT, LAST_COMMIT + 1)),
]
CHECKOUT_MOMENTS = [step.format(side) for step in CHECKOUT_STEPS for side in SIDES]
OFTEN = ("queue.epoch:after:1", "candidate.keep:before:1", "landing.refs:before:1")
CHECKOUT_OFTEN = ("checkout.lock:after:1", "landing.refs:after:1")


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    with nursery_in(tmp_path) as nursery:
        yield nursery


@dataclass(frozen=True)
class Seen:
    """All that a worker may change."""

    references: dict[str, str]
    log: str
    checkout: str
    index: bytes
    records: Any

    @classmethod
    def at(cls, repo: GitRepo) -> Seen:
        lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        references = dict(line.split() for line in lines)
        with store_of(repo) as store:
            records = store.entries(), store.intents(), [s.state for s in store.slots()]
        return cls(
            {name: at for name, at in references.items() if name != EPOCH},
            (repo.path / ".git/logs/refs/heads/main").read_text(),
            repo.git("status", "--porcelain=v2", "--branch") + repo.git("diff"),
            (repo.path / ".git/index").read_bytes(),
            records,
        )


def scene(repo: GitRepo) -> None:
    """Two branches, of which the second fails its check, and a user with an edit."""
    configure(repo, check="test ! -e bad")
    repo.branch("one", {"src/a.py": "one\n", "new/one.txt": "1\n"})
    repo.branch("two", {"bad": "2\n"})
    repo.write("docs/guide.md", "the user's edit\n")
    repo.git("update-index", "-q", "--refresh", ok=False)


def stopped_at(nursery: Nursery, queue: Queue, moment: str) -> Worker:
    """A worker that is stopped at the moment, with its minute over."""
    worker = nursery.start(queue.repo, moment, signal.SIGSTOP)
    assert not worker.wait(), f"{moment} was never reached: {worker.log.read_text()}"
    lease = queue.bench.store.lease(LEASE)
    if lease is not None:  # None: stopped after it has given it back
        assert queue.bench.store.renew(lease, expires=0.0)
    return worker


def until(holds: Callable[[], bool]) -> None:
    """Wait until it does, and no longer than LIMIT."""
    for _ in range(int(LIMIT / 0.02)):
        if holds():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never came to it")


@pytest.mark.parametrize("moment", mostly(MOMENTS, OFTEN))
def test_s7_stopped_at_a_step_and_woken_up_after_others_have_landed(
    repo: GitRepo, nursery: Nursery, moment: str
) -> None:
    scene(repo)
    start = repo.head("main")
    repo.git("checkout", "-q", "--detach")
    with queue_of(repo) as queue:
        one, two = queue.add("one"), queue.add("two")
        stopped = stopped_at(nursery, queue, moment)
        queue.drain()
        assert queue.states() == {"one": "landed", "two": "rejected"}
        seen = Seen.at(repo)
        stopped.go_on()
        assert stopped.wait()
        stopped.require_well()
        after = Seen.at(repo)
        assert (after.references, after.log, after.checkout, after.index) == (
            seen.references,
            seen.log,
            seen.checkout,
            seen.index,
        )
        assert after.records[:2] == seen.records[:2]
        landed_once(repo, one.id)
        assert queue.entry(two).state is EntryState.REJECTED
    require_at_rest(repo, start)


@pytest.mark.stress
@pytest.mark.parametrize("moment", mostly(CHECKOUT_MOMENTS, CHECKOUT_OFTEN))
def test_s7_stopped_while_it_brings_the_users_checkout_along(
    repo: GitRepo, nursery: Nursery, moment: str
) -> None:
    """Its lock on the index holds up what wants to land there, until it wakes up; it spoils nothing."""
    scene(repo)
    start = repo.head("main")
    with queue_of(repo) as queue:
        one = queue.add("one")
        queue.add("two")
        stopped = stopped_at(nursery, queue, moment)
        queue.drain()
        assert queue.states()["two"] == "rejected"
        assert queue.states()["one"] in ("landed", "blocked")
        stopped.go_on()
        assert stopped.wait()
        stopped.require_well()
        queue.drain()
        assert queue.states() == {"one": "landed", "two": "rejected"}
        landed_once(repo, one.id)
    assert repo.git("status", "--porcelain") == " M docs/guide.md"
    assert (repo.path / "docs/guide.md").read_text() == "the user's edit\n"
    assert (repo.path / "src/a.py").read_text() == "one\n"
    require_at_rest(repo, start)


def require_at_rest(repo: GitRepo, start: str) -> None:
    require_invariants(repo, start)
    require_sound(repo)
    with store_of(repo) as store:
        assert store.intents({IntentState.OPEN}) == []
        assert store.leases() == []
        assert {s.state for s in store.slots()} <= {SlotState.FREE}
    assert repo.git("for-each-ref", "refs/planctl/candidates") == ""


def test_s7_l2_woken_up_it_goes_back_to_waiting_for_whoever_has_the_queue(
    repo: GitRepo, nursery: Nursery
) -> None:
    scene(repo)
    with queue_of(repo) as queue:
        one = queue.add("one")
        stopped = stopped_at(nursery, queue, "landing.refs:before:1")
        with queue.session.hold(LEASE, "landing") as lease:
            take_over(queue.bench, lease)
            seen = Seen.at(repo)
            stopped.go_on()
            until(lambda: bool(queue.events("queue.lost")))
            assert Seen.at(repo) == seen
            assert queue.entry(one).state is EntryState.LANDING
        assert stopped.wait()
        stopped.require_well()
        assert queue.entry(one).state is EntryState.LANDED
        landed_once(repo, one.id)
    require_sound(repo)


PROXY = """
import os, signal, subprocess, sys
started, go, real, *argv = sys.argv[1:]
git = subprocess.Popen([real, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
said = b""
while heard := os.read(0, 65536):
    said += heard
    if heard == b"commit\\0" and b"/landed/" in said and not os.path.exists(go + ".once"):
        open(go + ".once", "w").close()
        open(started, "w").close()
        open(go).close()
    git.stdin.write(heard)
    git.stdin.flush()
    for word in heard.split(b"\\0"):
        if word in (b"start", b"prepare", b"commit"):
            os.write(1, git.stdout.readline())
git.stdin.close()
sys.exit(git.wait())
"""


def test_s7_stopped_in_the_middle_of_its_transaction_it_lands_once_and_others_wait_for_it(
    repo: GitRepo, nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git has prepared it and holds its locks: nobody takes the epoch, nobody removes a lock, one landing."""
    scene(repo)
    started, go = tmp_path / "started", tmp_path / "go"
    os.mkfifo(started)
    os.mkfifo(go)
    (tmp_path / "proxy.py").write_text(PROXY)
    real = shutil.which("git")
    proxy = f'exec {sys.executable} {tmp_path}/proxy.py {started} {go} {real} "$@"'
    before_git(tmp_path / "bin", f'case "$*" in *"planctl: land"*) {proxy} ;; esac\n', monkeypatch)
    with queue_of(repo) as queue:
        one = queue.add("one")
        worker = nursery.start(repo)
        started.read_text()
        os.kill(worker.pid, signal.SIGSTOP)
        assert not worker.wait()
        lease = queue.bench.store.lease(LEASE)
        assert lease is not None
        assert queue.bench.store.renew(lease, expires=0.0)
        old, locks = queue.main(), sorted((repo.path / ".git/refs").rglob("*.lock"))
        assert locks
        with queue.session.hold(LEASE, "landing") as mine, pytest.raises(LocksInTheWayError):
            take_over(queue.bench, mine)
        assert (queue.main(), sorted((repo.path / ".git/refs").rglob("*.lock"))) == (old, locks)
        go.write_text("")
        worker.go_on()
        assert worker.wait()
        worker.require_well()
        assert queue.entry(one).state is EntryState.LANDED
        assert landed_once(repo, one.id) == queue.main()
    require_at_rest(repo, old)
