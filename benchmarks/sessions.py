"""Heartbeats, leases, the look for dead sessions, and claims of many processes at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import psutil

from benchmarks.drift import leak_watch
from benchmarks.measure import ROOT, Result, Side, Target, compare, in_turn
from benchmarks.takeover import takeovers
from orchestrator.bootstrap import thread_store
from orchestrator.clock import SystemClock
from orchestrator.leases.heartbeat import Pace
from orchestrator.leases.lease import Wanted, try_acquire
from orchestrator.leases.ledger import end
from orchestrator.services.speaking import new_session
from orchestrator.services.watchdog.election import Tenure, stand
from orchestrator.services.watchdog.log import CleanupLog
from orchestrator.services.watchdog.sweep import Post, Sweep
from orchestrator.sessions.ancestry import Ancestor
from orchestrator.sessions.cleanup import reap
from orchestrator.sessions.identity import started
from orchestrator.sessions.registry import start_session
from orchestrator.store.protocol import Store
from orchestrator.workbench import Workbench
from tests.support.claims import big_plan, race
from worktrees.repository import Repository, find

SESSIONS = 100
ROUNDS = 1001
TASKS = 1000
BEATS = 1000
BEATING = """
import sys, time
from pathlib import Path
from statistics import median
from orchestrator.bootstrap import thread_store
from orchestrator.clock import SystemClock
from worktrees.repository import find

clock, store = SystemClock(), thread_store(find(Path(sys.argv[1])))()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    assert store.beat(sys.argv[2], expires=clock.monotonic() + 60, at=clock.now())
"""


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    repository = _repository(scratch / "sessions")
    clock = SystemClock()
    store = thread_store(repository)()
    me = Ancestor(os.getpid(), started(os.getpid()) or 0.0, ("bench",))
    for number in range(SESSIONS):
        store.add_session(new_session(clock, [me], key=f"s{number}"))
    beat = _heartbeat(store, clock, scratch / "plain.db")
    yield beat
    yield Result(beat.name, beat.ours, rounds=ROUNDS, target=Target(1))
    yield _lease(store, clock)
    yield _scan(store, clock, repository)
    yield _sweep(store, clock, repository)
    resident, share = watchdog_at_rest(repository)
    yield Result("a watchdog of 100 sessions at rest, resident", resident, unit="MB")
    yield Result("a watchdog of 100 sessions at rest, processor time", share, target=Target(1), unit="%")
    yield _many_heartbeats(repository, 16)
    yield from takeovers(repository)
    yield from leak_watch(scratch, cache)
    for processes in (2, 8, 64):
        place = _repository(scratch / f"claims{processes}")
        assert place.top is not None
        (place.top / "plans").mkdir()
        (place.top / "plans/big.md").write_text(big_plan(TASKS), encoding="utf-8")
        wins, seconds = race(place.top, processes, seed=processes)
        if len(wins) != TASKS or set(wins.values()) != {1}:
            raise RuntimeError(f"{processes} processes: not one winner each")
        name = f"claims, {processes} processes each claim all of {TASKS} tasks: one winner each"
        yield Result(name, TASKS / seconds, unit="a second")


def _heartbeat(store: Store, clock: SystemClock, plain: Path) -> Result:
    """Beside the same write of the same row by sqlite3 alone."""
    beside = sqlite3.connect(plain, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"):
        beside.execute(statement)
    beside.execute("CREATE TABLE s (id TEXT PRIMARY KEY, at TEXT, expires REAL)")
    beside.executemany("INSERT INTO s VALUES (?, '', 0)", [(f"s{n}",) for n in range(SESSIONS)])

    def beat() -> None:
        if not store.beat("s50", expires=clock.monotonic() + 60, at=clock.now()):
            raise RuntimeError("the session has ended")

    def write() -> None:
        beside.execute("UPDATE s SET at = ?, expires = ? WHERE id = 's50'", (clock.now(), clock.monotonic()))

    return compare(Side(f"heartbeat of one of {SESSIONS} sessions", beat), Side("UPDATE, WAL", write), ROUNDS)


def _lease(store: Store, clock: SystemClock) -> Result:
    def work() -> None:
        lease = try_acquire(store, clock, Wanted("bench", "s1"))
        if lease is None or not end(store, clock, lease):
            raise RuntimeError("the lease was not had")

    (taken,) = in_turn([Side("", work)], 201)
    return Result("lease granted and given back, both durably and in the history", taken, rounds=201)


def _scan(store: Store, clock: SystemClock, repository: Repository) -> Result:
    def work() -> None:
        if reap(store, clock, repository.state_dir / "cleanup.lock").ended:
            raise RuntimeError("nobody is dead")

    (taken,) = in_turn([Side("", work)], 51)
    return Result(f"look for the dead among {SESSIONS} sessions", taken, rounds=51, target=Target(50))


def _sweep(store: Store, clock: SystemClock, repository: Repository) -> Result:
    """A whole sweep that finds nothing: sessions, marks of all processes of the host, runs, slots."""
    with start_session(
        thread_store(repository), clock, "watchdog", pace=Pace(every=1e6, expiry=1e6)
    ) as session:
        held = stand(session, store)
        if held is None:
            raise RuntimeError("another watchdog is at work")
        post = Post(repository, session, store, _no_bench, CleanupLog(repository.state_dir, clock))

        def work() -> None:
            if Sweep(post, Tenure(held, store, threading.Event())).go().found:
                raise RuntimeError("nobody is dead")

        taken = median(_processor_milliseconds(work) for _ in range(51))
        held.release()
    name = f"sweep of {SESSIONS} sessions, nothing left over, processor time"
    return Result(name, taken, rounds=51, target=Target(50))


def _processor_milliseconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def _no_bench() -> Workbench:
    raise RuntimeError("a sweep that finds nothing needs no git")


def watchdog_at_rest(repository: Repository) -> tuple[float, float]:
    """MB resident and percent of one processor of ``planctl watchdog``, two sweeps long."""
    assert repository.top is not None
    line = (sys.executable, "-m", "orchestrator.cli", "--repo", str(repository.top), "watchdog")
    process = subprocess.Popen(line, cwd=ROOT)
    try:
        time.sleep(5)
        seen = psutil.Process(process.pid)
        before, began = sum(seen.cpu_times()[:2]), time.perf_counter()
        time.sleep(20)
        share = 100 * (sum(seen.cpu_times()[:2]) - before) / (time.perf_counter() - began)
        return seen.memory_info().rss / 2**20, share
    finally:
        process.terminate()
        process.wait()


def _many_heartbeats(repository: Repository, processes: int) -> Result:
    assert repository.top is not None
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", BEATING, str(repository.top), f"s{number}", str(BEATS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for number in range(processes)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    if any(worker.wait() for worker in workers):
        raise RuntimeError("a heartbeat failed")
    seconds = time.perf_counter() - began
    name = f"{processes} processes x {BEATS} heartbeats at once, none refused"
    return Result(name, processes * BEATS / seconds, unit="a second")


def _repository(folder: Path) -> Repository:
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    return find(folder)
