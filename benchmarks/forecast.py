"""Forecasts of branches at work, against one ``git merge-tree`` for each pair.

Branches of a repository the size of git.git, each of one commit that edits four files of its own choice and
one of a few that many edit, so that one pair in twenty shares a file; some of these conflict.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from benchmarks.measure import Result, Side, Target, environment, in_turn
from benchmarks.repositories import Shape, copy_of, folder, git
from orchestrator.bootstrap import working
from orchestrator.services.forecast import Forecast, forecast
from orchestrator.states import AttemptState
from orchestrator.store.records import Attempt, RunRecord
from orchestrator.workbench import Workbench
from worktrees.repository import find

SHAPE = Shape("git-like", 450, 10, 4)
"""4,500 files."""
BRANCHES = 100
SHARED = 20
SAMPLE = 50
ROUNDS = 5


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    path = copy_of(SHAPE, cache, scratch / "forecast", checkout=None)
    heads = _branches(path)
    pairs = list(combinations(heads, 2))
    sample = random.Random(1).sample(pairs, min(SAMPLE, len(pairs)))
    with working(find(path), "run") as (bench, _session):
        _at_work(bench, heads)
        seen: list[Forecast] = []
        ours, naive = in_turn(
            (
                Side("ours", lambda: seen.append(forecast(bench.store, bench.git, ()))),
                Side("naive", lambda: _naively(path, sample)),
            ),
            ROUNDS,
        )
    if len(seen[-1].pairs) != len(pairs):
        raise RuntimeError(f"{len(seen[-1].pairs)} pairs of {len(pairs)} were compared")
    name = f"forecast of {len(heads)} branches, {SHAPE.size:,} files"
    plainly = f"git merge-tree for each of {len(pairs):,} pairs ({len(sample)} measured)"
    whole = naive / len(sample) * len(pairs) / 1000
    yield Result(name, ours / 1000, plainly, whole, ROUNDS, unit="s")
    yield Result(name, ours / 1000, rounds=ROUNDS, target=Target(2), unit="s")


def _branches(path: Path) -> list[str]:
    """Make them at the tip of main; their commits."""
    random_ = random.Random(4950)
    tip = git(path, "rev-parse", "main")
    places = [
        f"{folder(place)}/file{number:02}.py"
        for place in range(SHAPE.folders)
        for number in range(SHAPE.files)
    ]
    shared = places[:: max(1, len(places) // SHARED)][:SHARED]
    texts = {place: git(path, "show", f"{tip}:{place}").splitlines() for place in shared}
    stream = []
    for number in range(BRANCHES):
        stream.append(_header(number, tip))
        for place in {*random_.sample(places, min(4, len(places))), random_.choice(shared)}:
            lines = [*texts.setdefault(place, git(path, "show", f"{tip}:{place}").splitlines())]
            lines[random_.randrange(len(lines))] = f"changed_by = {number}"
            data = "\n".join([*lines, ""]).encode()
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (place.encode(), len(data), data))
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=path, env=environment(), input=b"".join(stream), check=True
    )
    return [git(path, "rev-parse", f"work/live{number:03}") for number in range(BRANCHES)]


def _header(number: int, tip: str) -> bytes:
    at = 1_700_001_000 + number
    who = f"committer B <b@example.invalid> {at} +0000"
    return f"commit refs/heads/work/live{number:03}\n{who}\ndata 4\nwork\nfrom {tip}\n".encode()


def _at_work(bench: Workbench, heads: list[str]) -> None:
    """A run in the store whose plans have finished and not landed."""
    names = [f"p{number:03}" for number in range(len(heads))]
    base, now = bench.target_tip(), bench.clock.now()
    bench.store.add_run(RunRecord("r", bench.session, now, base, bench.target, tuple(names), {}))
    for name, head in zip(names, heads, strict=True):
        attempt = Attempt(name, "r", name, 1, "d", 50, f"plan/{name}", now, base=base)
        bench.store.add_attempt(attempt)
        for state in (AttemptState.PREPARING, AttemptState.RUNNING):
            attempt = bench.store.move_attempt(attempt, state)
        bench.store.move_attempt(attempt, AttemptState.FINISHED, head=head)


def _naively(path: Path, pairs: list[tuple[str, str]]) -> None:
    for one, other in pairs:
        merge = ["git", "merge-tree", "--write-tree", one, other]
        subprocess.run(merge, cwd=path, env=environment(), stdout=subprocess.DEVNULL, check=False)
