"""A worktree for a plan: made cold, taken again warm, and many at once, beside ``git worktree add``."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from benchmarks.measure import Result, Side, Target, in_turn, milliseconds
from benchmarks.repositories import LARGE, SMALL, Shape, branch, copy_of, git
from orchestrator.bootstrap import working
from orchestrator.slots.keeper import PLAN, SlotKeeper
from worktrees.git import Git
from worktrees.pool import Pool
from worktrees.repository import find

ROUNDS = 5
COLD_ROUNDS = 3
MANY = 64
MANY_ROUNDS = 5
SHAPE = LARGE
MANY_SHAPE = SMALL


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    yield from _one_slot(SHAPE, scratch / "one", cache)
    yield from _many(MANY_SHAPE, scratch / "many", cache)


def _one_slot(shape: Shape, scratch: Path, cache: Path) -> Iterator[Result]:
    """Main is not checked out; it moves on by a branch between release and acquisition, as in a run."""
    path = copy_of(shape, cache, scratch / "repository", checkout=None)
    numbers = itertools.count()
    adds = Fresh(scratch / "adds", lambda tree: git(path, "worktree", "add", "-q", "--detach", tree, "main"))
    door = Git(find(path))
    door.ensure_desk()
    pool = Pool(door, scratch / "cold")
    main = git(path, "rev-parse", "main")
    colds = Fresh(scratch / "cold", lambda tree: pool.add(Path(tree).name, main))
    made, cold = in_turn(
        (Side("", adds.make, adds.clear), Side("", colds.make, colds.clear)), COLD_ROUNDS, warm=False
    )
    for fresh in (adds, colds):
        fresh.clear()
    taking, giving = _warm(path, scratch, numbers)
    size = f"{shape.size:,} files"
    reference = "git worktree add"
    yield Result(f"slot, cold, {size}", cold, reference, made, COLD_ROUNDS, Target(1.15))
    yield Result(
        f"slot, warm: taken until ready, {size}", taking, reference, made, ROUNDS, Target(12, faster=True)
    )
    both = taking + giving
    yield Result(
        f"slot, warm: given back and taken, {size}", both, reference, made, ROUNDS, Target(5, faster=True)
    )


def _warm(path: Path, scratch: Path, numbers: Iterator[int]) -> tuple[float, float]:
    """Medians of taking a clean slot until it is ready, and of giving it back after some work."""
    taking: list[float] = []
    giving: list[float] = []
    with working(find(path), "bench") as (bench, _):
        keeper = SlotKeeper(bench)
        keeper.folder = scratch / "slots"
        keeper.pool.folder = keeper.folder
        slot = keeper.take(PLAN, plan="bench")
        tree = keeper.make_ready(slot, bench.target_tip())
        for turn in range(-1, ROUNDS):
            _work_in(tree.path, next(numbers))
            gave = milliseconds(lambda: keeper.give_back(slot))
            git(path, "update-ref", "refs/heads/main", git(path, "rev-parse", branch(next(numbers))))
            tip = bench.target_tip()

            def take() -> None:
                nonlocal slot, tree
                slot = keeper.take(PLAN, plan="bench")
                tree = keeper.make_ready(slot, tip)  # noqa: B023 - called at once

            took = milliseconds(take)
            if git(tree.path, "status", "--porcelain") or git(tree.path, "rev-parse", "HEAD") != tip:
                raise RuntimeError(f"{tree.path} is not ready")
            if turn >= 0:
                taking.append(took)
                giving.append(gave)
    return median(taking), median(giving)


def _work_in(tree: Path, number: int) -> None:
    """What a plan leaves: one file edited, one new, both committed."""
    (tree / "docs/note0.md").write_text(f"edited {number}\n", encoding="utf-8")
    (tree / f"docs/new{number}.md").write_text("new\n", encoding="utf-8")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", f"work {number}")
    git(tree, "branch", "-f", "bench/kept", "HEAD")


class Fresh:
    """Worktrees that are made under new names and deleted again between the rounds."""

    def __init__(self, folder: Path, make: Callable[[str], object]) -> None:
        self._folder = folder
        self._make = make
        self._numbers = itertools.count(1)

    def make(self) -> None:
        self._make(str(self._folder / f"slot-{next(self._numbers):02}"))

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)


def _many(shape: Shape, scratch: Path, cache: Path) -> Iterator[Result]:
    path = copy_of(shape, cache, scratch / "repository")
    door = Git(find(path))
    door.ensure_desk()
    main = git(path, "rev-parse", "main")
    pool = Pool(door, scratch / "slots")
    numbers = itertools.count(1)

    def at_once() -> None:
        names = [f"slot-{next(numbers):03}" for _ in range(MANY)]
        with ThreadPoolExecutor(MANY) as threads:
            made = list(threads.map(lambda name: pool.add(name, main), names))
        missing = [tree for tree in made if not (tree.path / ".gitignore").exists()]
        if missing:
            raise RuntimeError(f"{len(missing)} are not whole")

    def one_by_one() -> None:
        for _ in range(MANY):
            tree = str(scratch / f"trees/{next(numbers)}")
            git(path, "worktree", "add", "-q", "--detach", tree, "main")

    def clear() -> None:
        for folder in (scratch / "slots", scratch / "trees", path / ".git/worktrees"):
            shutil.rmtree(folder, ignore_errors=True)

    name = f"{MANY} slots at once, {shape.size:,} files, all processors busy"
    with _load():
        ours, theirs = in_turn(
            (Side(name, at_once, clear), Side("", one_by_one, clear)), MANY_ROUNDS, warm=False
        )
    yield Result(name, ours, "git worktree add, one by one", theirs, MANY_ROUNDS, Target(0.6))


@contextlib.contextmanager
def _load() -> Iterator[None]:
    """As many busy processes as processors: the races of ``git worktree add`` need load to show."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
