"""``planctl queue list`` with a thousand entries, as text and as JSON: processor time of the process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, Target, Work, planctl, python
from benchmarks.repositories import git
from orchestrator.bootstrap import thread_store
from orchestrator.store.records import Entry
from worktrees.repository import find

ENTRIES = 1_000
ROUNDS = 15


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    del cache
    path = repository_with_entries(scratch / "queue")
    reference = processor_time(python("import click, sqlite3"))
    for name, work in (
        (f"planctl queue list, {ENTRIES:,} entries, processor time", planctl("queue", "list", cwd=path)),
        ("the same, --json", planctl("--json", "queue", "list", cwd=path)),
    ):
        taken = processor_time(work)
        yield Result(name, taken, "import click, sqlite3", reference, ROUNDS)
        yield Result(name, taken, rounds=ROUNDS, target=Target(250))


def repository_with_entries(path: Path) -> Path:
    """A repository with settings of its own, and so many entries that wait."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    git(path, "config", "user.name", "Bench")
    git(path, "config", "user.email", "bench@example.invalid")
    (path / "planctl.yaml").write_text("check: make test\npool: {max: 20}\n", encoding="utf-8")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "start")
    head = git(path, "rev-parse", "HEAD")
    store = thread_store(find(path))()
    with store.transaction():
        for number in range(ENTRIES):
            store.add_entry(
                Entry(
                    id=f"{number:020x}",
                    plan=f"plan-{number}",
                    branch=f"planctl/plan-{number}",
                    target="refs/heads/main",
                    head=head,
                    base=head,
                    queued_at="2026-09-01T00:00:00.000Z",
                    sequence=0,
                    priority=50 + number % 7,
                    reason={"code": "batch", "detail": "another of its batch could not land"},
                )
            )
    store.close()
    return path


def processor_time(work: Work) -> float:
    """The least of all rounds, in milliseconds of user and system time: other work only adds to it."""
    work()  # modules are compiled once
    return min(_spent(work) for _ in range(ROUNDS))


def _spent(work: Work) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
