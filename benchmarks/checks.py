"""Branches whose check takes a second, landed with one check at a time and with four.

The check sleeps: what counts is how long landings wait for it, not what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.landing import Lander
from benchmarks.measure import Result, Target
from benchmarks.repositories import SMALL, branch, copy_of, git

BRANCHES = 8
ROUNDS = 3


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    times = {1: list[float](), 4: list[float]()}
    for number in range(ROUNDS):
        for jobs in times if number % 2 else reversed(times):
            times[jobs].append(_landed(scratch / f"{number}-{jobs}", cache, jobs) * 1000)
    name = f"{BRANCHES} branches, a check of one second, 4 at once"
    yield Result(name, median(times[4]), "one at a time", median(times[1]), ROUNDS, Target(3, faster=True))


def _landed(path: Path, cache: Path, jobs: int) -> float:
    """Seconds until all have landed."""
    repository = copy_of(SMALL, cache, path)
    (repository / "planctl.yaml").write_text(f"check: sleep 1\ncheck_jobs: {jobs}\n")
    git(repository, "add", "planctl.yaml")
    git(repository, "commit", "-q", "-m", "settings")
    with Lander.at(repository) as lander:
        return lander.land([branch(number) for number in range(BRANCHES)])
