"""Landing finished branches on main, no check configured, beside a loop of ``git merge`` in a checkout."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Side, compare
from benchmarks.repositories import git, make_branches, make_repository
from orchestrator.bootstrap import working
from orchestrator.merging.worker import QueueWorker
from orchestrator.services.queue import add
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import EntryState
from worktrees.repository import find

BRANCHES = 20
ROUNDS = 3


def results(scratch: Path) -> Iterator[Result]:
    ours, theirs = (make_repository(scratch / name) for name in ("landing", "merging"))
    names = make_branches(ours, BRANCHES)
    make_branches(theirs, BRANCHES)
    start = git(ours, "rev-parse", "main"), git(theirs, "rev-parse", "main")

    def land() -> None:
        landed = land_all(ours, names)
        if landed != BRANCHES:
            raise RuntimeError(f"{landed} of {BRANCHES} landed")

    def merge() -> None:
        for name in names:
            git(theirs, "merge", "-q", "--no-ff", "--no-edit", name)

    yield compare(
        Side(f"landing {BRANCHES} branches, main checked out", land, lambda: reset(ours, start[0])),
        Side("git merge in a loop", merge, lambda: reset(theirs, start[1])),
        ROUNDS,
    )


def reset(path: Path, commit: str) -> None:
    """As before any landing: the branch back, planctl's store and references gone."""
    git(path, "reset", "-q", "--hard", commit)
    for name in git(path, "for-each-ref", "--format=%(refname)", "refs/planctl").split():
        git(path, "update-ref", "-d", name)
    for file in (path / ".git/planctl").glob("state.db*"):
        file.unlink()


def land_all(path: Path, names: list[str]) -> int:
    """Queue all, drain with one worker, as ``planctl merge`` does; how many landed."""
    with working(find(path), "queue") as (bench, session):
        for name in names:
            add(bench, name)
        worker = QueueWorker(
            bench, session, SlotKeeper(bench), wake=threading.Event(), cancel=threading.Event()
        )
        worker.drain(lambda idle: idle)
        return len(bench.store.entries(states={EntryState.LANDED}))
