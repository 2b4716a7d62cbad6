"""Replay the merges of a repository both ways: in memory by planctl, and by ``git merge`` in a worktree.

    python benchmarks/merge_agreement.py REPOSITORY [COUNT]

REPOSITORY is the git folder of any repository; it is only read. The newest COUNT two-parent merges of its
HEAD are replayed (500 unless told) in a scratch repository that borrows its objects. Prints how many gave the
same tree, the same set of (path, mode, object, stage), or differed; exit status 1 when any differed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from worktrees.commitgraph import ensure_commit_graph
from worktrees.git import Git
from worktrees.merge import Merged, Stage, merge_trees
from worktrees.objects import Objects
from worktrees.repository import find
from worktrees.treemerge import merge_disjoint

Outcome = str | frozenset[Stage]


@dataclass(frozen=True)
class Bench:
    """A scratch repository with the objects of another, and a worktree in it."""

    path: Path

    def git(self, *arguments: str, ok: bool = True) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=ok)
        return done.stdout.decode("utf-8", "surrogateescape")

    def real_merge(self, ours: str, theirs: str) -> Outcome:
        """Outcome of ``git merge`` in a checkout of ``ours``."""
        self.git("merge", "--quit", ok=False)
        self.git("checkout", "-q", "-f", "--detach", ours)
        self.git("clean", "-ffdqx")
        self.git("merge", "-q", "--no-ff", "--no-edit", "-m", "replayed", theirs, ok=False)
        rows = [row for row in self.git("ls-files", "-u", "-z").split("\0") if row]
        if not rows:
            parents = self.git("rev-parse", "HEAD^@").split()
            return self.git("rev-parse", "HEAD^{tree}").strip() if parents == [ours, theirs] else "no merge"
        return frozenset(_stage(row) for row in rows)


def _stage(row: str) -> Stage:
    head, _, path = row.partition("\t")
    mode, object_, stage = head.split()
    return Stage(path, int(mode, 8), object_, int(stage))


def prepare(source: Path, scratch: Path) -> Bench:
    bench = Bench(scratch / "replay")
    bench.path.mkdir()
    for arguments in (
        ("init", "-q"),
        ("config", "user.name", "Replay"),
        ("config", "user.email", "replay@example.invalid"),
        ("config", "core.hooksPath", os.devnull),
        ("config", "gc.auto", "0"),
    ):
        bench.git(*arguments)
    alternates = bench.path / ".git/objects/info/alternates"
    alternates.write_text(f"{_objects_of(source)}\n")
    return bench


def _objects_of(source: Path) -> Path:
    asked = ["git", f"--git-dir={source}", "rev-parse", "--path-format=absolute", "--git-path", "objects"]
    return Path(subprocess.run(asked, capture_output=True, check=True, text=True).stdout.strip())


def merges(source: Path, count: int) -> list[list[str]]:
    asked = ["git", f"--git-dir={source}", "rev-list", "--min-parents=2", "--max-parents=2", "--parents"]
    done = subprocess.run([*asked, f"-n{count}", "HEAD"], capture_output=True, check=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


def replay(bench: Bench, pairs: list[list[str]]) -> tuple[Counter[str], dict[str, float]]:
    repository = find(bench.path)
    git, objects = Git(repository), Objects(repository)
    git.ensure_desk()
    ensure_commit_graph(git, objects, pairs[0][0])
    counts: Counter[str] = Counter()
    times: dict[str, list[float]] = {"in memory": [], "git merge": []}
    for commit, ours, theirs in pairs:
        start = time.perf_counter()
        found = merge_trees(git, objects, ours, theirs)
        middle = time.perf_counter()
        real = bench.real_merge(ours, theirs)
        times["in memory"].append(middle - start)
        times["git merge"].append(time.perf_counter() - middle)
        mine: Outcome = found.tree if isinstance(found, Merged) else frozenset(found.stages)
        kind = "same tree" if isinstance(found, Merged) else "same conflict"
        counts[kind if mine == real else "differing"] += 1
        bases = objects.merge_bases(ours, theirs)
        counts["more than one merge base"] += len(bases) > 1
        counts["merged by tree ids"] += len(bases) == 1 and bool(
            merge_disjoint(objects, *(objects.tree_of(c) for c in (bases[0], ours, theirs)))
        )
        if mine != real:
            print(f"differs: {commit}")
    return counts, {name: median(values) * 1000 for name, values in times.items()}


def main() -> int:
    source, count = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 500
    # settings of the person who runs this are left out: the same figures everywhere
    os.environ.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull)
    with tempfile.TemporaryDirectory() as scratch:
        pairs = merges(source, count)
        counts, times = replay(prepare(source, Path(scratch)), pairs)
    print(f"merges replayed: {len(pairs)}")
    for name, number in sorted(counts.items()):
        print(f"{name}: {number}")
    for name, milliseconds in times.items():
        print(f"median, {name}: {milliseconds:.1f} ms")
    return 1 if counts["differing"] else 0


if __name__ == "__main__":
    sys.exit(main())
