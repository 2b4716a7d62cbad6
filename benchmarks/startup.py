"""How long it takes until planctl has said something."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Side, compare, planctl, python, run
from benchmarks.repositories import git
from orchestrator.bootstrap import open_store
from orchestrator.clock import SystemClock, new_id
from orchestrator.states import AttemptState
from orchestrator.store.records import Attempt, RunRecord
from worktrees.repository import find

PLANS = 100
ROUNDS = 11


def results(scratch: Path) -> Iterator[Result]:
    yield compare(
        Side("planctl --version", planctl("--version")),
        Side("import click", python("import click")),
        ROUNDS,
    )
    path = repository_with_plans(scratch / "hundred")
    shown = plans_in_status(path)
    if shown != PLANS:
        raise RuntimeError(f"status shows {shown} plans")
    yield compare(
        Side(f"planctl status, {PLANS} plans", planctl("status", cwd=path)),
        Side("import click, sqlite3", python("import click, sqlite3")),
        ROUNDS,
    )


def plans_in_status(path: Path) -> int:
    said = run([sys.executable, "-m", "orchestrator.cli", "--json", "status"], path)
    return len(json.loads(said)["plans"])


def repository_with_plans(path: Path) -> Path:
    """A repository whose store holds one run of a hundred plans, three quarters of them landed."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    git(path, "config", "user.name", "Bench")
    git(path, "config", "user.email", "bench@example.invalid")
    git(path, "commit", "-q", "--allow-empty", "-m", "start")
    head = git(path, "rev-parse", "HEAD")
    now = SystemClock().now()
    store = open_store(find(path)).store
    plans = tuple(f"plan-{number:03}" for number in range(PLANS))
    record = RunRecord(new_id(), "nobody", now, head, "refs/heads/main", plans, {})
    with store.transaction():
        store.add_run(record)
        for number, plan in enumerate(plans):
            store.add_attempt(attempt(record, plan, head, landed=number % 4 != 0))
    store.close()
    return path


def attempt(run_: RunRecord, plan: str, head: str, *, landed: bool) -> Attempt:
    moved = (
        {"state": AttemptState.LANDED, "landed_commit": head} if landed else {"reason": {"code": "capacity"}}
    )
    return Attempt(
        id=new_id(),
        run=run_.id,
        plan=plan,
        number=1,
        digest="0" * 64,
        priority=50,
        branch=f"plan/{plan}",
        created_at=run_.started_at,
        **moved,  # type: ignore[arg-type]
    )
