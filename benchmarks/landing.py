"""Landing finished branches on main, no check configured, beside Zuul's merger and ``git merge``.

All of it counts: the queue's lease and epoch, the merge, the candidate's reference, both post-checks, the
store with its syncs, the intent, the reference transaction. Only handing the branches in does not. Neither
Zuul's merger nor ``git merge`` does more than the merge.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks import zuul_merger
from benchmarks.measure import Result, Target, milliseconds
from benchmarks.repositories import LARGE, SMALL, Shape, branch, copy_of, git
from orchestrator.bootstrap import working
from orchestrator.merging.worker import QueueWorker
from orchestrator.services.queue import add
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import EntryState
from worktrees.repository import find

BATCH = 40
"""Branches that are landed in one go; each round has fresh ones."""
ROUNDS = 5
SHAPES = (SMALL, LARGE)
SYNCS = 50


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    yield syncing(scratch)
    medians = {shape.name: _landings(shape, scratch, cache) for shape in SHAPES}
    if not any("zuul" in found for found in medians.values()):
        print("| Zuul's merger | not installed |  |  |  |  |  |  |")
    for shape in SHAPES:
        found = medians[shape.name]
        name = f"landing, {shape.size:,} files, main not checked out"
        large = shape is SHAPES[-1]
        if "zuul" in found:
            wanted = Target(15, faster=True) if large else None
            yield Result(name, found["apart"], "Zuul's merger", found["zuul"], ROUNDS, wanted)
        wanted = Target(20, faster=True) if large else None
        yield Result(name, found["apart"], "git merge in a checkout", found["merge"], ROUNDS, wanted)
        followed = f"landing, {shape.size:,} files, main checked out and brought along"
        yield Result(followed, found["followed"], "git merge in a checkout", found["merge"], ROUNDS)
    small, large_ = (medians[shape.name]["apart"] for shape in SHAPES)
    yield Result(
        f"landing, {SHAPES[1].size:,} files", large_, f"landing, {SHAPES[0].size:,} files", small, ROUNDS,
        Target(2),
    )  # fmt: skip


def syncing(scratch: Path) -> Result:
    """What one fsync of a new small file costs on the disk that all this is measured on."""
    scratch.mkdir(parents=True, exist_ok=True)
    times = []
    for number in range(SYNCS):
        with (scratch / f"sync{number}").open("wb") as file:
            file.write(b"some bytes\n")
            file.flush()
            times.append(milliseconds(lambda: os.fsync(file.fileno())))
    return Result("fsync of a new small file, on this disk", median(times), rounds=SYNCS)


def _landings(shape: Shape, scratch: Path, cache: Path) -> dict[str, float]:
    """Medians of milliseconds for one landing: apart, followed, merge and, where it can be had, zuul."""
    apart = copy_of(shape, cache, scratch / f"{shape.name}-apart", checkout=None)
    followed = copy_of(shape, cache, scratch / f"{shape.name}-followed")
    merging = copy_of(shape, cache, scratch / f"{shape.name}-merging")
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        landers = {
            "apart": stack.enter_context(Lander.at(apart)).land,
            "followed": stack.enter_context(Lander.at(followed)).land,
            "merge": lambda names: _merged(merging, names),
        }
        merger = zuul_merger.merger(merging, scratch / f"{shape.name}-zuul", cache)
        if merger is not None:
            landers["zuul"] = stack.enter_context(merger).merge
        for number in range(ROUNDS):
            names = [branch(number * BATCH + n) for n in range(BATCH)]
            order = list(landers) if number % 2 else list(reversed(landers))
            for who in order:
                times.setdefault(who, []).append(landers[who](names) * 1000 / BATCH)
    return {who: median(found) for who, found in times.items()}


def _merged(path: Path, names: list[str]) -> float:
    start = time.perf_counter()
    for name in names:
        git(path, "merge", "-q", "--no-ff", "--no-edit", name)
    return time.perf_counter() - start


class Lander:
    """A session of planctl that lands branches, as ``planctl merge`` does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()

    @classmethod
    def at(cls, path: Path) -> Lander:
        return cls(path)

    def __enter__(self) -> Self:
        self._bench, self._session = self._stack.enter_context(working(find(self._path), "queue"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def land(self, names: list[str]) -> float:
        """Queue all; then drain with a worker of its own, which takes the queue over: seconds of that."""
        entries = [add(self._bench, name).id for name in names]
        events = threading.Event(), threading.Event()
        worker = QueueWorker(
            self._bench, self._session, SlotKeeper(self._bench), wake=events[0], cancel=events[1]
        )
        start = time.perf_counter()
        worker.drain(lambda idle: idle)
        taken = time.perf_counter() - start
        ended = [self._bench.store.entry(key) for key in entries]
        if any(entry is None or entry.state is not EntryState.LANDED for entry in ended):
            raise RuntimeError(f"not all of {names} landed")
        return taken
