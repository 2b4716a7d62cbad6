"""Plans that do next to nothing: what planctl itself costs, beside a shell script with ``flock``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Side, compare, planctl, run
from benchmarks.repositories import git, make_repository

PLANS = 20
JOBS = 4
ROUNDS = 3

PLAN = """\
---
plan: p{number:02}
files: {{write: ["out/{number:02}"]}}
run: mkdir -p out && echo {number} > out/{number:02}
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


def results(scratch: Path) -> Iterator[Result]:
    if shutil.which("flock") is None or shutil.which("xargs") is None:
        print("no-op plans: left out, the shell baseline needs flock and xargs")
        return
    ours, theirs = make_repository(scratch / "plans"), make_repository(scratch / "shell")
    (ours / "plans").mkdir()
    for number in range(PLANS):
        (ours / f"plans/p{number:02}.md").write_text(PLAN.format(number=number), encoding="utf-8")
    git(ours, "add", "-A")
    git(ours, "commit", "-q", "-m", "plans")
    (scratch / "one.sh").write_text(SCRIPT, encoding="utf-8")
    start = git(ours, "rev-parse", "main"), git(theirs, "rev-parse", "main")

    def shell_again() -> None:
        git(theirs, "reset", "-q", "--hard", start[1])
        for name in git(theirs, "for-each-ref", "--format=%(refname)", "refs/heads/shell").split():
            git(theirs, "update-ref", "-d", name)

    numbers = " ".join(f"{number:02}" for number in range(PLANS))
    variables = f"REPOSITORY='{theirs}' TREES='{scratch / 'trees'}'"
    script = f"echo {numbers} | {variables} xargs -n1 -P{JOBS} sh '{scratch / 'one.sh'}'"
    run_all = planctl("run-multi", "--all", "--again", "-j", str(JOBS), cwd=ours)
    yield compare(
        Side(
            f"{PLANS} plans that write one file, -j{JOBS}",
            run_all,
            lambda: git(ours, "reset", "-q", "--hard", start[0]),
        ),
        Side("worktree add, commit, merge, flock", lambda: run(["sh", "-c", script], theirs), shell_again),
        ROUNDS,
    )
