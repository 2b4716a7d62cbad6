"""A store of the oldest schema, with all that a run has left in it, is brought up by the first command."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from orchestrator.states import AttemptState
from orchestrator.store.sqlite.migrations import migrations
from tests.stress.killing.scenario import Scenario, World
from tests.support.gates import store_of
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo


class Migration(Scenario):
    """Rows of before are there afterwards, with what newer columns say of them."""

    name = "migration"
    commands = (("queue", "add", "one"), ("queue", "add", "two"))

    def build(self, repo: GitRepo) -> dict[str, str]:
        commit_plans(repo, {"old": {"run": "echo old > old.txt"}}, "check: test -e README.md\n")
        done = run("run-multi", "old", cwd=repo.path)
        assert done.code == 0, done.err
        repo.branch("one", {"one.txt": "1\n"})
        repo.branch("two", {"two.txt": "2\n"})
        take_back(_store(repo))
        return {"main": repo.head("main")}

    def go_on(self, world: World) -> None:
        world.remove_named_locks()
        for branch in ("one", "two"):
            world.planctl("queue", "add", branch)

    def require(self, world: World) -> None:
        with store_of(world.repo) as store:
            assert [e.branch for e in store.entries()] == ["plan/old", "one", "two"]
            (attempt,) = store.latest_attempts()
            assert (attempt.plan, attempt.state, attempt.holds) == ("old", AttemptState.LANDED, ())
            assert attempt.landed_commit == world.facts["main"]
            assert store.health()["integrity"] == "ok"
        path = _store(world.repo)
        assert version(path) == len(migrations())
        assert not list(path.parent.glob("state.db.corrupt*"))
        assert world.repo.head("main") == world.facts["main"]


def _store(repo: GitRepo) -> Path:
    return repo.path / ".git/planctl/state.db"


def version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def take_back(path: Path) -> None:
    """Make the store one of the first schema, its rows kept as far as that has columns for them."""
    old = path.with_name("old.db")
    with contextlib.closing(sqlite3.connect(old)) as database:
        database.executescript(migrations()[0].read_text(encoding="utf-8"))
        database.execute("ATTACH ? AS now", (str(path),))
        tables = database.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            names = ", ".join(f'"{row[1]}"' for row in database.execute(f"PRAGMA main.table_info({table})"))
            database.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
        database.commit()
        database.execute("PRAGMA user_version = 1")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    old.replace(path)
    assert version(path) == 1
