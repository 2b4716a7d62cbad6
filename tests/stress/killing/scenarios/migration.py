"""A store is made, or brought up from an older schema, by the first command that writes."""

from __future__ import annotations

import sqlite3

from orchestrator.store.sqlite.migrations import migrations
from tests.stress.killing.scenario import Scenario, World
from tests.support.gates import store_of
from tests.support.queues import configure
from tests.support.repo import GitRepo


class Migration(Scenario):
    """From nothing; once there is more than one migration, from each older version too."""

    name = "migration"
    commands = (("queue", "add", "one"), ("queue", "add", "two"))

    def build(self, repo: GitRepo) -> dict[str, str]:
        configure(repo, check="test -e README.md")
        repo.branch("one", {"one.txt": "1\n"})
        repo.branch("two", {"two.txt": "2\n"})
        return {}

    def go_on(self, world: World) -> None:
        world.remove_named_locks()
        for branch in ("one", "two"):
            world.planctl("queue", "add", branch)

    def require(self, world: World) -> None:
        with store_of(world.repo) as store:
            assert [e.branch for e in store.entries()] == ["one", "two"]
            assert store.health()["integrity"] == "ok"
        path = world.repo.path / ".git/planctl/state.db"
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
        database.close()
        assert not list(path.parent.glob("state.db.corrupt*"))
        assert world.repo.git("log", "-1", "--format=%s", "main") == "settings"
