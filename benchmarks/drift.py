"""What looking for drift costs while plans run: the watch itself over worktrees in which plans are at work.

Processor time, not time that passes: the watch is cheap when a busy machine has most of its time left. The
pauses between looks are counted and not waited for.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.measure import Result, Target
from benchmarks.repositories import Shape, copy_of, git
from orchestrator.bootstrap import working
from orchestrator.clock import SystemClock
from orchestrator.scheduling.driftwatch import DriftWatch
from orchestrator.scheduling.leakwatch import LeakWatch
from orchestrator.scheduling.observe import Observer
from orchestrator.scheduling.view import Options
from orchestrator.states import AttemptState
from orchestrator.store.records import Attempt, RunRecord
from orchestrator.workbench import Workbench
from plans.graph import PlanGraph, build_graph
from plans.ids import PlanId
from plans.model import Manifest, Plan
from plans.patterns import PatternSet
from plans.project import OverlapMode
from worktrees.repository import find

SHAPE = Shape("middle", 500, 10, 4)
"""5,000 files."""
WORKTREES, FEW_WORKTREES = 16, 4
ROUNDS = 5
TURNS = 200


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    path = copy_of(SHAPE, cache, scratch / "drift")
    places = [_worktree(path, number) for number in range(WORKTREES)]
    looks, plain, shares, turns = [], [], [], []
    with working(find(path), "run") as (bench, _session):
        clock = _Pauses()
        watch = _watch(replace(bench, clock=clock), places)
        watch.once(clock)
        for _ in range(ROUNDS):
            spent, passed = watch.once(clock)
            looks.append(spent / WORKTREES * 1000)
            shares.append(spent / passed * 100)
            turns.append(passed)
            plain.append(_plainly(places) / WORKTREES * 1000)
    name = f"looking for drift, {WORKTREES} worktrees of {SHAPE.size:,} files"
    yield Result(f"{name}: share of a core", median(shares), rounds=ROUNDS, target=Target(2), unit="%")
    yield Result(f"{name}: until each was looked at", median(turns), rounds=ROUNDS, unit="s")
    yield Result(
        f"a look, {SHAPE.size:,} files, processor time", median(looks), "git status", median(plain), ROUNDS,
        Target(1.5),
    )  # fmt: skip


def leak_watch(scratch: Path, cache: Path) -> Iterator[Result]:
    """The watch over the main checkout: each turn looks for processes, now and then one looks at files."""
    path = copy_of(SHAPE, cache, scratch / "leaks")
    places = [_worktree(path, number) for number in range(FEW_WORKTREES)]
    with working(find(path), "run") as (bench, _session):
        clock = _Elapsing()
        plans = _at_work(bench, places).plans
        watch = LeakWatch(replace(bench, clock=clock), "r", plans)
        watch.look()
        clock.left = TURNS
        start, began = clock.monotonic(), _processor()
        watch.watch(threading.Event(), lambda: None)
        share = (_processor() - began) / (clock.monotonic() - start) * 100
    name = f"the leak watch, main checkout of {SHAPE.size:,} files, {FEW_WORKTREES} plans: share of a core"
    yield Result(name, share, rounds=TURNS, target=Target(2), unit="%")


def _plainly(places: list[Path]) -> float:
    """Processor time of ``git status`` in each, which does not write its index either."""
    start = _processor()
    for place in places:
        git(place, "--no-optional-locks", "status", "--porcelain=v2", "-z", "--untracked-files=all")
    return _processor() - start


class _Pauses(SystemClock):
    """Pauses are added up instead of waited for; the watch is ended when each worktree had its look."""

    def __init__(self) -> None:
        self.paused, self.left = 0.0, 0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.paused += seconds
        self.left -= 1
        if self.left <= 0:
            event.set()
        return event.is_set()


class _Elapsing(_Pauses):
    """The same, and time passes by them."""

    def monotonic(self) -> float:
        return super().monotonic() + self.paused


class _Watch(DriftWatch):
    def once(self, clock: _Pauses) -> tuple[float, float]:
        """Look once at each worktree: seconds of processor time, and those that would have passed."""
        clock.paused, clock.left = 0.0, WORKTREES
        start, began = time.monotonic(), _processor()
        self.watch(threading.Event(), lambda: None)
        return _processor() - began, time.monotonic() - start + clock.paused


def _watch(bench: Workbench, places: list[Path]) -> _Watch:
    graph = _at_work(bench, places)
    run = bench.store.run("r")
    assert run is not None
    observer = Observer(bench, run, graph, Options(WORKTREES, OverlapMode.ISOLATE))
    return _Watch(bench, "r", observer, graph.plans)


def _at_work(bench: Workbench, places: list[Path]) -> PlanGraph:
    """A run in the store whose plans are all at work."""
    write = PatternSet.parse(["src/**"])
    plans = {name: _plan(name, write) for name in (place.name for place in places)}
    graph = build_graph(tuple(plans.values()), (), OverlapMode.ISOLATE)
    base, now = bench.target_tip(), bench.clock.now()
    run = RunRecord("r", bench.session, now, base, bench.target, tuple(plans), {})
    bench.store.add_run(run)
    for place in places:
        attempt = Attempt(place.name, "r", place.name, 1, "d", 50, f"plan/{place.name}", now, base=base)
        bench.store.add_attempt(attempt)
        made = bench.store.move_attempt(attempt, AttemptState.PREPARING, worktree=str(place))
        bench.store.move_attempt(made, AttemptState.RUNNING)
    return graph


def _plan(name: str, write: PatternSet) -> Plan:
    manifest = Manifest(write, PatternSet.parse([]))
    path = Path(f"plans/{name}.md")
    return Plan(PlanId(name), name, path, b"", name, f"plan/{name}", manifest=manifest)


def _worktree(path: Path, number: int) -> Path:
    """A worktree on a plan's branch with an edit and a new file in it, both drift."""
    place = path.parent / f"p{number}"
    git(path, "worktree", "add", "-q", "-b", f"plan/p{number}", str(place))
    (place / "new").write_text("new\n", encoding="utf-8")
    (place / ".gitattributes").write_text("* text=auto\n", encoding="utf-8")
    return place


def _processor() -> float:
    """Processor time of this process and of its children that have ended, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
