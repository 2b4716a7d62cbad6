"""Plans that do next to nothing: what planctl itself costs for each, beside a shell script with ``flock``.

Each run begins in a fresh copy of the repository. What a further plan costs is the slope between two sizes;
the rest is start-up. The shell has no journal, no recovery, no rescue and no look at what it merged.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Side, Target, in_turn, planctl, run
from benchmarks.repositories import SMALL, Shape, copy_of, git

FEW, MANY = 20, 100
LESS, MORE = 50, 500
JOBS = 4
ROUNDS = 3
LONG_ROUNDS = 1
SHAPE = SMALL

PLAN = """\
---
plan: p{number:03}
files: {{write: ["out/{number:03}"]}}
run: mkdir -p out && echo {number} > out/{number:03}
---
"""
SCRIPT = """\
set -e
number=$1
flock lock git worktree add -q -b "shell/$number" "$TREES/$number" main
cd "$TREES/$number"
mkdir -p out
echo "$number" > "out/$number"
git add -A
git commit -q -m "plan $number"
cd "$REPOSITORY"
flock lock git merge -q --no-ff --no-edit "shell/$number"
flock lock git worktree remove "$TREES/$number"
"""


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    if shutil.which("flock") is None or shutil.which("xargs") is None:
        print("no-op plans: left out, the shell baseline needs flock and xargs")
        return
    scratch.mkdir(parents=True)
    (scratch / "one.sh").write_text(SCRIPT, encoding="utf-8")
    runs = Runs(SHAPE, scratch, cache)
    few, many, shell_few, shell_many = in_turn(
        [
            Side("", lambda: runs.planctl(FEW), lambda: runs.fresh(FEW)),
            Side("", lambda: runs.planctl(MANY), lambda: runs.fresh(MANY)),
            Side("", lambda: runs.shell(FEW), lambda: runs.fresh(FEW)),
            Side("", lambda: runs.shell(MANY), lambda: runs.fresh(MANY)),
        ],
        ROUNDS,
        warm=False,
    )
    each, shell_each = (many - few) / (MANY - FEW), (shell_many - shell_few) / (MANY - FEW)
    name = f"a further plan, {FEW} to {MANY} plans, -j{JOBS}"
    yield Result(name, each, "worktree add, commit, merge, flock", shell_each, ROUNDS, Target(1.5))
    yield Result("start-up of that run", few - FEW * each, rounds=ROUNDS)
    less, more = in_turn(
        [
            Side("", lambda: runs.planctl(LESS), lambda: runs.fresh(LESS)),
            Side("", lambda: runs.planctl(MORE), lambda: runs.fresh(MORE)),
        ],
        LONG_ROUNDS,
        warm=False,
    )
    name, beside = (f"each of {number} plans, start-up included" for number in (MORE, LESS))
    yield Result(name, more / MORE, beside, less / LESS, LONG_ROUNDS, Target(1.3))


class Runs:
    """Runs of so many plans, each in a repository of its own."""

    def __init__(self, shape: Shape, scratch: Path, cache: Path) -> None:
        self._shape = shape
        self._scratch = scratch
        self._cache = cache
        self._numbers = itertools.count()
        self._place = scratch

    @property
    def path(self) -> Path:
        """The repository of the run that is next."""
        return self._place / "repository"

    def fresh(self, plans: int) -> None:
        """A repository with so many committed plan files."""
        if self._place != self._scratch:
            shutil.rmtree(self._place, ignore_errors=True)
        self._place = self._scratch / f"run{next(self._numbers)}"
        path = copy_of(self._shape, self._cache, self._place / "repository")
        (path / "plans").mkdir()
        for number in range(plans):
            (path / f"plans/p{number:03}.md").write_text(PLAN.format(number=number), encoding="utf-8")
        git(path, "add", "-A")
        git(path, "commit", "-q", "-m", "plans")

    def planctl(self, plans: int) -> None:
        path = self.path
        planctl("run-multi", "--all", "-j", str(JOBS), "-q", cwd=path)()
        self._require(len(git(path, "ls-files", "out").splitlines()), plans)

    def shell(self, plans: int) -> None:
        path = self.path
        numbers = " ".join(f"{number:03}" for number in range(plans))
        variables = f"REPOSITORY='{path}' TREES='{self._place / 'trees'}'"
        one = self._scratch / "one.sh"
        run(["sh", "-c", f"echo {numbers} | {variables} xargs -n1 -P{JOBS} sh '{one}'"], path)
        self._require(len(git(path, "ls-files", "out").splitlines()), plans)

    @staticmethod
    def _require(landed: int, plans: int) -> None:
        if landed != plans:
            raise RuntimeError(f"{landed} of {plans} landed")
