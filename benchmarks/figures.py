"""``planctl metrics`` over a long history, summed up as at the end of each run, and not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import Result, Side, Target, compare, planctl, python
from benchmarks.repositories import git
from orchestrator.bootstrap import thread_store
from orchestrator.services.metrics import written
from orchestrator.store.protocol import Store
from worktrees.repository import find

EVENTS = 100_000
ROUNDS = 11
_AT_ONCE = 20
_OF_A_PLAN = (
    (
        "plan.waiting",
        {"reason": {"code": "overlap", "plan": "p", "detail": "src/a.py"}, "text": "overlaps"},
    ),
    ("plan.waiting", {"reason": {"code": "capacity"}, "text": "waits for a free place (--jobs)"}),
    ("plan.preparing", {"attempt": "01K"}),
    ("plan.started", {"attempt": "01K", "worktree": "/pool/slot-01", "log": "/outputs/p/log", "phase": None}),
    ("plan.finished", {"head": "a" * 40}),
    ("entry.queued", {"entry": "e" * 40, "branch": "planctl/p"}),
    ("check.started", {"entry": "e" * 40, "log": "/checks/c.log"}),
    ("check.finished", {"entry": "e" * 40, "passed": True, "seconds": 12.5, "tainted": False}),
    ("entry.landed", {"entry": "e" * 40, "branch": "planctl/p", "landed_commit": "b" * 40}),
    ("plan.landed", {"commit": "b" * 40}),
)


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    del cache
    path = scratch / "figures"
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    store = thread_store(find(path))()
    _fill(store)
    reference = Side("import click, sqlite3", python("import click, sqlite3"))
    name = f"planctl metrics, {EVENTS:,} events"
    yield compare(Side(f"{name}, none summed up", planctl("metrics", cwd=path)), reference, ROUNDS)
    store.sum_up()
    store.close()
    summed = compare(Side(name, planctl("metrics", cwd=path)), reference, ROUNDS)
    yield summed
    yield Result(summed.name, summed.ours, rounds=ROUNDS, target=Target(300))


def _fill(store: Store) -> None:
    """Plans of which :data:`_AT_ONCE` are on their way at a time, each through all its events."""
    chance, at, under_way, plans = random.Random(1), datetime(2026, 9, 1, tzinfo=UTC), list[list[int]](), 0
    with store.transaction():
        for _ in range(EVENTS):
            if len(under_way) < _AT_ONCE:
                under_way.append([plans, 0])
                plans += 1
            one = chance.choice(under_way)
            event, data = _OF_A_PLAN[one[1]]
            at += timedelta(seconds=chance.random() * 60)
            store.emit(event, at=written(at), run=f"run-{one[0] // 50}", plan=f"plan-{one[0]}", **data)
            one[1] += 1
            if one[1] == len(_OF_A_PLAN):
                under_way.remove(one)
