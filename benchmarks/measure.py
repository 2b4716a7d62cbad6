"""Times in milliseconds, always beside a reference measured in the same run: this and that in turn.

A figure alone says more about the machine than about planctl. A ratio of two medians, taken in turn, says
what a user would notice, and survives other work on the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
Work = Callable[[], object]


@dataclass(frozen=True)
class Result:
    """Medians in milliseconds of planctl's way and of the reference, and how often each was measured."""

    name: str
    ours: float
    reference_name: str
    reference: float
    rounds: int

    @property
    def ratio(self) -> float:
        return self.ours / self.reference


def milliseconds(work: Work, prepare: Work | None) -> float:
    if prepare is not None:
        prepare()
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


@dataclass(frozen=True)
class Side:
    """One of the two that are compared; ``prepare`` comes before each ``work`` and is not measured."""

    name: str
    work: Work
    prepare: Work | None = None


def compare(ours: Side, reference: Side, rounds: int) -> Result:
    """Both in turn, once unmeasured for the caches, then ``rounds`` times."""
    sides = (ours, reference)
    for side in sides:
        milliseconds(side.work, side.prepare)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        # who goes first changes, so that a slow spell of the machine hits both
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(milliseconds(sides[which].work, sides[which].prepare))
    return Result(ours.name, median(times[0]), reference.name, median(times[1]), rounds)


def environment() -> dict[str, str]:
    """The same everywhere: no settings of the person who runs this, planctl from this checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PLANCTL_"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def run(argv: Sequence[str], cwd: Path = ROOT, ok: Sequence[int] = (0,)) -> str:
    done = subprocess.run(
        argv, cwd=cwd, env=environment(), capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode not in ok:
        raise RuntimeError(f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def python(source: str) -> Work:
    return lambda: run([sys.executable, "-c", source])


def planctl(*arguments: str, cwd: Path = ROOT, ok: Sequence[int] = (0,)) -> Work:
    return lambda: run([sys.executable, "-m", "orchestrator.cli", *arguments], cwd, ok)
