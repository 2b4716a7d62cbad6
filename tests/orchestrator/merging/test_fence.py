"""S7: a worker that was stopped, lost its lease and wakes up changes nothing, wherever it was stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.merging.tenure import EPOCH
from orchestrator.states import EntryState, IntentState
from tests.support.fenced import LIMIT, First, Gate, lose_lease
from tests.support.nursery import Nursery, nursery_in, only_where_processes_fork
from tests.support.process import halt, run, start
from tests.support.queues import MAIN, configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import mostly, seldom
from worktrees import references


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    with nursery_in(tmp_path) as nursery:
        yield nursery


GATES = [
    ("queue.epoch", "before"),
    ("queue.epoch", "after"),
    ("candidate.keep", "before"),
    ("candidate.keep", "after"),
    ("landing.refs", "before"),
    ("landing.refs", "after"),
    ("candidate.forget", "before"),
]
OFTEN = [("queue.epoch", "before"), ("landing.refs", "before"), ("candidate.forget", "before")]


@pytest.mark.parametrize(("step", "side"), mostly(GATES, OFTEN), ids=lambda text: text)
@pytest.mark.parametrize("attached", [*seldom(False), True], ids=["nobody-on-main", "main-checked-out"])
def test_s7_a_worker_that_lost_its_lease_changes_nothing(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch, step: str, side: str, attached: bool
) -> None:
    configure(repo, check="test -e README.md", queue="serial" if attached else "batch")
    repo.branch("one", {"one.txt": "1\n"})
    repo.branch("two", {"two.txt": "2\n"})
    if not attached:
        repo.git("checkout", "-q", "--detach")
    gate = Gate(step, side)
    monkeypatch.setattr(references, "effects_step", gate.passing)
    with queue_of(repo) as queue:
        one = queue.add("one")
        two = queue.add("two")
        with First(partial(queue_of, repo), gate):
            lose_lease(queue)
            queue.drain()
            seen = queue.main(), repo.git("for-each-ref", "refs/planctl")
            states = queue.states()
            if not attached:
                assert states == {"one": "landed", "two": "landed"}
        if not attached:
            # it woke up, and moved nothing: no reference but the epoch of its next tenure, if it had one
            assert queue.main() == seen[0]
            after = repo.git("for-each-ref", "refs/planctl")
            assert [r for r in after.splitlines() if EPOCH not in r] == [
                r for r in seen[1].splitlines() if EPOCH not in r
            ]
        queue.drain()
        assert queue.states() == {"one": "landed", "two": "landed"}
        assert landed_once(repo, one.id) != landed_once(repo, two.id)
        assert queue.bench.store.intents({IntentState.OPEN}) == []
        assert len(queue.events("entry.landed")) == 2
    assert repo.git("status", "--porcelain") == ""
    require_sound(repo)


def test_s7_a_stopped_process_wakes_up_and_lands_nothing(repo: GitRepo, tmp_path: Path) -> None:
    """SIGSTOP in the middle of a check; another process takes over and lands; SIGCONT."""
    started, go_on, first = tmp_path / "started", tmp_path / "go", tmp_path / "first"
    os.mkfifo(started)
    os.mkfifo(go_on)
    configure(
        repo, check=repr(f"mkdir {first} 2>/dev/null && echo > {started} && cat {go_on}; test -e README.md")
    )
    repo.branch("one", {"one.txt": "1\n"})
    stopped = start("merge", "one", "--json", cwd=repo.path)
    started.read_text()
    try:
        with queue_of(repo) as queue:
            halt(stopped, queue.bench.store)
            lose_lease(queue)
            queue.drain()
            (landed,) = queue.bench.store.entries()
            assert landed.state is EntryState.LANDED
            seen = queue.main()
    finally:
        stopped.send_signal(signal.SIGCONT)
    go_on.write_text("go\n")
    out, err = stopped.communicate(timeout=LIMIT)
    assert stopped.returncode == 0, (out, err)
    assert repo.head("main") == seen == landed_once(repo, landed.id)
    require_sound(repo)


def test_l2_s7_a_dead_worker_is_replaced_at_once_not_after_its_minute(repo: GitRepo) -> None:
    repo.branch("one", {"one.txt": "1\n"})
    killed = run("merge", "one", cwd=repo.path, env={"PLANCTL_KILL_AT": "candidate.keep:after"})
    assert killed.code == -signal.SIGKILL
    assert run("merge", "one", "--wait", "20", cwd=repo.path).code == 0


def test_l2_a_living_worker_is_waited_for_and_named(repo: GitRepo) -> None:
    repo.branch("one", {"one.txt": "1\n"})
    with queue_of(repo) as queue:
        queue.session.hold(f"queue:{MAIN}", "landing")
        said = run("merge", "one", "--wait", "0", "--json", cwd=repo.path)
        assert said.code == 4, said
        assert queue.session.id in said.data["error"]["message"]
        assert queue.states() == {"one": "queued"}


@only_where_processes_fork
def test_l2_a_holder_that_dies_while_others_wait_is_followed_at_once(repo: GitRepo, nursery: Nursery) -> None:
    """Whoever waits sees that the process is gone; the minute of its lease is not waited for."""
    repo.branch("one", {"one": "1\n"})
    with queue_of(repo) as queue:
        entry = queue.add("one")
        holder = nursery.start(repo, "candidate.keep:after:1", signal.SIGSTOP)
        assert not holder.wait()
        looks = 0

        def waiting() -> None:
            nonlocal looks
            looks += 1
            if looks == 1:
                holder.end()

        queue.worker().drain(lambda idle: idle, waiting)
        assert 0 < looks < 5, "a look is half a second"
        assert queue.entry(entry).state is EntryState.LANDED
    require_sound(repo)


@only_where_processes_fork
def test_l2_a_holder_that_is_stopped_is_followed_within_its_minute(
    repo: GitRepo, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may wake up again: it keeps the queue for as long as its lease lasts, and no longer."""
    waited, now = [0.0], SystemClock.monotonic
    monkeypatch.setattr(SystemClock, "monotonic", lambda clock: now(clock) + waited[0])
    repo.branch("one", {"one": "1\n"})
    with queue_of(repo) as queue:
        entry = queue.add("one")
        holder = nursery.start(repo, "candidate.keep:after:1", signal.SIGSTOP)
        assert not holder.wait()
        taken: list[float] = []

        def waiting() -> None:
            assert waited[0] <= 60, "its minute is over"
            waited[0] += 10
            taken.append(waited[0])

        queue.worker().drain(lambda idle: idle, waiting)
        assert 50 <= taken[-1] <= 70
        assert queue.entry(entry).state is EntryState.LANDED
        holder.go_on()
        assert holder.wait()
        holder.require_well()
        assert landed_once(repo, entry.id) == queue.main()
    require_sound(repo)
