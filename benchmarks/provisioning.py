"""A worktree for a plan: made cold, and taken again from the pool, beside ``git worktree add``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Side, compare
from benchmarks.repositories import git, make_branches, make_repository
from worktrees.git import Git
from worktrees.pool import Pool
from worktrees.repository import find

ROUNDS = 5


def results(scratch: Path) -> Iterator[Result]:
    path = make_repository(scratch / "pool")
    commits = [git(path, "rev-parse", name) for name in make_branches(path, 2)]
    main = git(path, "rev-parse", "main")
    repository = find(path)
    door = Git(repository)
    door.ensure_desk()
    pool = Pool(door, scratch / "slots")
    numbers = itertools.count(1)

    def cold() -> None:
        pool.add(f"slot-{next(numbers):03}", main)

    def git_adds() -> None:
        git(path, "worktree", "add", "-q", "--detach", str(scratch / f"tree{next(numbers)}"), "main")

    yield compare(Side("slot, cold", cold), Side("git worktree add", git_adds), ROUNDS)

    warm_one = pool.add("slot-000", main)
    turns = itertools.cycle(commits)

    def warm() -> None:
        pool.recycle(warm_one, next(turns))
        pool.tidy(warm_one, main)

    yield compare(Side("slot, warm: taken and given back", warm), Side("git worktree add", git_adds), ROUNDS)
