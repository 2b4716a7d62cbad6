"""S3.12: what heartbeats, the look for the dead and a sweep cost, in statements and looks at processes.

The milliseconds are in ``python -m benchmarks sessions``. Here is what makes them so: a heartbeat costs the
same whoever else is there, and each living session adds one read of its process to a look, and no statement.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestrator.bootstrap import thread_store
from orchestrator.clock import SystemClock
from orchestrator.leases.heartbeat import Pace
from orchestrator.leases.lease import Wanted, try_acquire
from orchestrator.running import platforms
from orchestrator.services.watchdog.election import Tenure, stand
from orchestrator.services.watchdog.log import CleanupLog
from orchestrator.services.watchdog.sweep import Post, Sweep
from orchestrator.sessions import identity
from orchestrator.sessions.cleanup import reap
from orchestrator.sessions.identity import here, started
from orchestrator.sessions.registry import start_session
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.workbench import Workbench
from tests.support.faces import store_of
from tests.support.records import a_session
from tests.support.repo import GitRepo
from worktrees.repository import find

FEW, MANY = 10, 100
CLOCK = SystemClock()
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")


@dataclass(frozen=True)
class Cost:
    """The statements that were run, and how often the process of a session, or all, were looked at."""

    statements: tuple[str, ...]
    looks: int
    tables: int

    @property
    def kinds(self) -> Counter[str]:
        """Statements by their first words, whatever values they had."""
        return Counter(" ".join(one.split()[:4]) for one in self.statements)


class Meter:
    """Counts what is done between :meth:`start` and :meth:`of`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = self.tables = 0
        stat, table = identity._stat, platforms.all_processes

        def looked(pid: int) -> object:
            self.looks += 1
            return stat(pid)

        def tabled() -> object:
            self.tables += 1
            return table()

        monkeypatch.setattr(identity, "_stat", looked)
        monkeypatch.setattr(platforms, "all_processes", tabled)

    def of(self, store: SqliteStore, work: Callable[[], object]) -> Cost:
        said: list[str] = []
        self.looks = self.tables = 0
        connection = store._db.connection
        connection.set_trace_callback(said.append)
        work()
        connection.set_trace_callback(None)
        return Cost(tuple(said), self.looks, self.tables)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    return Meter(monkeypatch)


def filled(store: SqliteStore, many: int) -> None:
    """So many living sessions in all: this process's, each with a lease of its own."""
    mine = {"pid": os.getpid(), "process_started": started(os.getpid()), "host": here(), "boot": CLOCK.boot()}
    for number in range(len(store.sessions()), many):
        expires = CLOCK.monotonic() + 1e6
        store.add_session(a_session(f"s{number}", kind="agent", expires=expires, **mine))
        assert try_acquire(store, CLOCK, Wanted(f"lock {number}", f"s{number}", expiry=1e6)) is not None


def test_s3_12_a_heartbeat_costs_the_same_whoever_else_is_there(repo: GitRepo, meter: Meter) -> None:
    def beat() -> None:
        assert store.beat("s5", expires=CLOCK.monotonic() + 60, at=CLOCK.now(), task="x")
        assert store.renew_all("s5", boot=CLOCK.boot(), expires=CLOCK.monotonic() + 60) == 1

    with store_of(repo) as store:
        assert isinstance(store, SqliteStore)
        costs = []
        for many in (FEW, MANY):
            filled(store, many)
            costs.append(meter.of(store, beat))
        updates = [one for one in costs[1].statements if one.startswith("UPDATE")]
        plans = [
            row["detail"]
            for one in updates
            for row in store._db.connection.execute(f"EXPLAIN QUERY PLAN {one}")
        ]
    assert costs[0].kinds == costs[1].kinds
    assert (len(updates), costs[1].looks, costs[1].tables) == (2, 0, 0)
    assert all(detail.startswith("SEARCH") and "INDEX" in detail for detail in plans), plans


def test_s3_12_a_look_for_the_dead_reads_each_process_once_and_asks_nothing_for_each(
    repo: GitRepo, meter: Meter
) -> None:
    with store_of(repo) as store:
        assert isinstance(store, SqliteStore)
        costs = []
        for many in (FEW, MANY):
            filled(store, many)
            lock = repo.path / ".git/planctl/cleanup.lock"
            costs.append(meter.of(store, lambda lock=lock: reap(store, CLOCK, lock)))  # type: ignore[misc]
    assert [cost.looks for cost in costs] == [FEW, MANY]
    assert costs[0].statements
    assert costs[0].kinds == costs[1].kinds
    assert costs[1].tables == 0


def test_s3_12_a_sweep_with_nothing_to_do_grows_by_the_looks_at_living_processes_alone(
    repo: GitRepo, meter: Meter
) -> None:
    repository = find(repo.path)
    idle = Pace(every=1e6, expiry=1e6)
    with (
        store_of(repo) as store,
        start_session(thread_store(repository), CLOCK, "watchdog", pace=idle) as session,
    ):
        assert isinstance(store, SqliteStore)
        held = stand(session, store)
        assert held is not None
        post = Post(repository, session, store, no_git, CleanupLog(repository.state_dir, CLOCK))
        costs = []
        for many in (FEW, MANY):
            filled(store, many)
            sweep = Sweep(post, Tenure(held, store, threading.Event()))
            costs.append(meter.of(store, sweep.go))
        held.release()
    few, many_ = costs
    assert few.kinds == many_.kinds
    assert many_.looks - few.looks <= 2 * (MANY - FEW), "when it begins, and before it gives back"
    assert many_.tables == few.tables <= 2, "for the marks of commands, and for what runs below agents"


def no_git() -> Workbench:
    raise AssertionError("a sweep that finds nothing needs no git")
