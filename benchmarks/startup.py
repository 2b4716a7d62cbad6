"""How long it takes until planctl has said something."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Side, Target, compare, planctl, python, run
from benchmarks.repositories import git

PLANS = 100
PLANCTL = (sys.executable, "-m", "orchestrator.cli")
ROUNDS = 21


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    del cache
    yield compare(
        Side("planctl --version", planctl("--version")),
        Side("import click", python("import click")),
        ROUNDS,
        Target(1.5),
    )
    path = repository_with_plans(scratch / "hundred")
    shown = plans_in_status(path)
    if shown != PLANS:
        raise RuntimeError(f"status shows {shown} plans")
    yield compare(
        Side(f"planctl status, {PLANS} plans", planctl("status", cwd=path)),
        Side("import click, sqlite3", python("import click, sqlite3")),
        ROUNDS,
        Target(2.2),
    )

    hook = commit_hook(path)
    yield hook
    yield Result(hook.name, hook.ours, rounds=ROUNDS, target=Target(100))
    yield from reference_hook(path, scratch / "empty")


def commit_hook(path: Path) -> Result:
    """The hook in a plan's worktree beside an import of click; git waits for it at each commit."""
    (path / "plans/held.md").write_text("---\nplan: held\nfiles: {write: [one]}\n---\n", encoding="utf-8")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "held")
    planctl("worktree", "add", "held", "--json", cwd=path)()
    planctl("hooks", "install", cwd=path)()
    place = Path(run([*PLANCTL, "worktree", "path", "held"], path).strip())
    (place / "one").write_text("1\n", encoding="utf-8")
    git(place, "add", "one")
    hook = path / ".git/hooks/pre-commit"
    return compare(
        Side("commit hook in a plan's worktree", lambda: run(["sh", str(hook)], place)),
        Side("import click", python("import click")),
        ROUNDS,
    )


def reference_hook(path: Path, empty: Path) -> Iterator[Result]:
    """A reference that is not guarded, moved under planctl's hooks, under an empty one, under none."""
    git(path, "branch", "-f", "moving", "main")
    empty.mkdir()
    (empty / "reference-transaction").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (empty / "reference-transaction").chmod(0o755)

    def moved(hooks: Path) -> Side:
        move = ["git", "-c", f"core.hooksPath={hooks}", "update-ref", "refs/heads/moving", "main"]
        return Side("git update-ref", lambda: run(move, path))

    ours = Side("git update-ref under planctl's hooks", moved(path / ".git/hooks").work)
    yield compare(ours, Side("under an empty hook", moved(empty).work), 5 * ROUNDS, Target(1.3))
    yield compare(ours, moved(Path(os.devnull)), 5 * ROUNDS)


def plans_in_status(path: Path) -> int:
    said = run([*PLANCTL, "--json", "status"], path)
    return len(json.loads(said)["plans"])


def repository_with_plans(path: Path) -> Path:
    """A repository in which a hundred plans have really been run; they have landed."""
    (path / "plans").mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    git(path, "config", "user.name", "Bench")
    git(path, "config", "user.email", "bench@example.invalid")
    for number in range(PLANS):
        text = f"---\nplan: p{number:03}\nrun: echo {number} > f{number}\n---\n"
        (path / f"plans/p{number:03}.md").write_text(text, encoding="utf-8")
    (path / "planctl.yaml").write_text(f"pool: {{max: {PLANS}}}\n", encoding="utf-8")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "start")
    planctl("run-multi", "--all", "-j", "8", "-q", cwd=path)()
    return path
