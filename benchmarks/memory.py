"""What planctl holds in memory during a run, and what a supervisor costs while its command runs (Linux)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Target, environment
from benchmarks.plans import Runs
from benchmarks.repositories import SMALL, git

PLANS = 100
JOBS = 4
SHAPE = SMALL
SETTLE, WATCHED = 1.0, 10.0
"""Seconds before a supervisor is looked at, and seconds that it is looked at."""
LOOK = 0.02


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    if not Path("/proc/self/status").exists():
        print("memory: left out, this system has no /proc")
        return
    scratch.mkdir(parents=True)
    runs = Runs(SHAPE, scratch, cache)
    runs.fresh(PLANS)
    peak = peak_of(runs.path, ("run-multi", "--all", "-j", str(JOBS), "-q"))
    yield Result(f"planctl itself, run of {PLANS} plans, at most", peak, target=Target(200), unit="MB")
    runs.fresh(1)
    resident, share = supervisor(runs.path)
    yield Result("a supervisor, resident", resident, target=Target(15), unit="MB")
    yield Result("a supervisor, processor time", share, target=Target(1), unit="%")


def peak_of(path: Path, arguments: tuple[str, ...]) -> float:
    """Run planctl; the most it had resident, in MB, without its children."""
    argv = [sys.executable, "-m", "orchestrator.cli", *arguments]
    highest = 0.0
    with subprocess.Popen(argv, cwd=path, env=environment(), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            highest = max(highest, _megabytes(process.pid, "VmHWM"))
            time.sleep(LOOK)
    if process.returncode:
        raise RuntimeError(f"{argv} ended with {process.returncode}")
    return highest


def supervisor(path: Path) -> tuple[float, float]:
    """MB resident and percent of one processor of the supervisor of a command that waits."""
    (path / "plans/p000.md").write_text(f"---\nplan: waits\nrun: sleep {SETTLE + WATCHED + 5}\n---\n")
    git(path, "commit", "-q", "-a", "-m", "a plan that waits")
    argv = [sys.executable, "-m", "orchestrator.cli", "run-multi", "--all", "-q"]
    with subprocess.Popen(argv, cwd=path, env=environment(), stdout=subprocess.DEVNULL) as process:
        while (pid := _supervisor_below(process.pid)) is None and process.poll() is None:
            time.sleep(LOOK)
        if pid is None:
            raise RuntimeError("no supervisor was seen")
        time.sleep(SETTLE)
        before = _processor_seconds(pid)
        time.sleep(WATCHED)
        share = (_processor_seconds(pid) - before) * 100 / WATCHED
        resident = _megabytes(pid, "VmRSS")
        process.terminate()
    return resident, max(share, 0.001)


def _supervisor_below(parent: int) -> int | None:
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            below = (place / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
            if below and b"supervisor_main.py" in (place / "cmdline").read_bytes():
                return int(place.name)
    return None


def _megabytes(pid: int, field: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
