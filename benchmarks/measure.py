"""Figures beside a reference measured in the same run: this and that in turn.

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
class Target:
    """What is wanted: ours at most ``limit`` times the reference, or (``faster``) at least so much faster.

    ``least``: a figure that stands alone is to be at least ``limit``, not at most.
    """

    limit: float
    faster: bool = False
    least: bool = False

    def __str__(self) -> str:
        if self.least:
            return f"≥ {self.limit:g}"
        return f"≥ {self.limit:g}x faster" if self.faster else f"≤ {self.limit:g}"


@dataclass(frozen=True)
class Result:
    """Medians of planctl's way and of the reference, and how often each was measured; ``unit`` of both.

    Without a ``reference`` the figure stands alone, and a target is a limit for it.
    """

    name: str
    ours: float
    reference_name: str = ""
    reference: float = 0.0
    rounds: int = 1
    target: Target | None = None
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        return self.ours / self.reference if self.reference else self.ours

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        if self.target.least:
            return self.ratio >= self.target.limit
        if self.target.faster:
            return self.ratio * self.target.limit <= 1
        return self.ratio <= self.target.limit

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        compared = f"{self.ratio:.2f}"
        if self.target is not None and self.target.faster:
            compared = f"{1 / self.ratio:.1f}x faster"
        return (
            self.name,
            _figure(self.ours, self.unit),
            self.reference_name,
            _figure(self.reference, self.unit) if self.reference else "",
            compared if self.reference else "",
            "" if self.target is None else f"{self.target} {'' if self.reference else self.unit}".rstrip(),
            {True: "holds", False: "**falls short**", None: ""}[self.holds],
            str(self.rounds),
        )


HEAD = ("what", "figure", "beside", "figure", "ratio", "target", "", "rounds")


def _figure(value: float, unit: str) -> str:
    return (f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}").rstrip()


def milliseconds(work: Work, prepare: Work | None = None) -> float:
    if prepare is not None:
        prepare()
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


@dataclass(frozen=True)
class Side:
    """One of those that are compared; ``prepare`` comes before each ``work`` and is not measured."""

    name: str
    work: Work
    prepare: Work | None = None


def in_turn(sides: Sequence[Side], rounds: int, *, warm: bool = True) -> list[float]:
    """Medians of all sides in milliseconds: in turn, once unmeasured if ``warm``, then ``rounds`` times."""
    times: list[list[float]] = [[] for _ in sides]
    for number in range(-1 if warm else 0, rounds):
        # who goes first changes, so that a slow spell of the machine hits all
        order = range(len(sides)) if number % 2 else reversed(range(len(sides)))
        for which in order:
            taken = milliseconds(sides[which].work, sides[which].prepare)
            if number >= 0:
                times[which].append(taken)
    return [median(found) for found in times]


def compare(ours: Side, reference: Side, rounds: int, target: Target | None = None) -> Result:
    first, second = in_turn((ours, reference), rounds)
    return Result(ours.name, first, reference.name, second, rounds, target)


def environment() -> dict[str, str]:
    """The same everywhere: no settings of the person who runs this, planctl from this checkout.

    Modules are compiled once, as for anybody: without their cache start-up measures the compiler.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PLANCTL_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
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
