"""Two planctl at once in one repository; one of them is killed, the other does all of its own."""

from __future__ import annotations

from tests.stress.killing.scenario import Scenario, World, go_on_until
from tests.stress.killing.scenarios.run import require_users_things
from tests.support.invariants import require_invariants
from tests.support.plans import commit_plans, landings
from tests.support.repo import GitRepo

MINE: dict[str, dict[str, object]] = {
    "a": {"files": {"write": ["one"]}, "run": "echo a >> one"},
    "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
}
BESIDE: dict[str, dict[str, object]] = {
    "e": {"files": {"write": ["five"]}, "run": "echo e > five"},
    "f": {"files": {"write": ["six"]}, "dependencies": ["e"], "run": "cat five > six"},
}


class Pair(Scenario):
    name = "pair"
    commands = (("run-multi", *MINE, "-j", "2"),)
    beside = ("run-multi", *BESIDE, "-j", "2")

    def build(self, repo: GitRepo) -> dict[str, str]:
        start = commit_plans(repo, {**MINE, **BESIDE}, "check: test ! -e bad\ncheck_jobs: 2\n")
        repo.write("README.md", "stashed\n")
        repo.git("stash")
        repo.write("README.md", "the user's edit\n")
        repo.write("notes.txt", "the user's notes\n")
        return {"start": start, "stash": repo.git("stash", "list", "--format=%H")}

    def go_on(self, world: World) -> None:
        go_on_until(world, dict.fromkeys(MINE, "landed"), "-j", "2")

    def require(self, world: World) -> None:
        repo = world.repo
        assert sorted(landings(repo)) == sorted([*MINE, *BESIDE]), landings(repo)
        assert repo.show("main", "two") == "a\n"
        assert repo.show("main", "six") == "e\n"
        require_users_things(world)
        require_invariants(repo, world.facts["start"])
