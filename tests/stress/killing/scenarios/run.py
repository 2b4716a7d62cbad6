"""``run-multi`` of plans that depend, overlap, are rejected by the check, and do not merge."""

from __future__ import annotations

from tests.stress.killing.scenario import Scenario, World, go_on_until
from tests.support.invariants import require_invariants
from tests.support.plans import commit_plans, landings
from tests.support.repo import GitRepo

LAND = ("a", "b", "c")
WHERE = {"a": "landed", "b": "landed", "c": "landed", "red": "rejected", "odd": "conflicted"}
PLANS: dict[str, dict[str, object]] = {
    "a": {"files": {"write": ["one"]}, "run": "echo a >> one"},
    "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
    "c": {
        "files": {"write": ["one", "three"]},
        "run": "echo c | tee -a one > three; git add .; git commit -qm c",
    },
    "red": {"files": {"write": ["bad"]}, "run": "echo bad > bad"},
    "odd": {"files": {"write": ["odd"]}, "branch": "odd-work", "run": "echo odd > odd"},
}  # fmt: skip


class Run(Scenario):
    name = "run"
    commands = (("run-multi", *PLANS, "-j", "4", "--adopt", "--keep-going"),)

    def build(self, repo: GitRepo) -> dict[str, str]:
        repo.git("branch", "odd-work")
        commit_plans(repo, PLANS, "check: test ! -e bad\n")
        repo.git("checkout", "-q", "odd-work")
        repo.commit("another way", {"src/a.py": "another way\n"})
        repo.git("checkout", "-q", "main")
        start = repo.commit("one way", {"src/a.py": "one way\n"})
        repo.write("README.md", "stashed\n")
        repo.git("stash")
        repo.write("README.md", "the user's edit\n")
        repo.write("notes.txt", "the user's notes\n")
        return {"start": start, "stash": repo.git("stash", "list", "--format=%H")}

    def go_on(self, world: World) -> None:
        go_on_until(world, WHERE, "-j", "4", "--adopt", "--keep-going")

    def require(self, world: World) -> None:
        repo = world.repo
        assert sorted(landings(repo)) == sorted(LAND), landings(repo)
        assert sorted(repo.show("main", "one").split()) == ["a", "c"]
        assert repo.show("plan/red", "bad") == "bad\n"
        assert repo.show("odd-work", "odd") == "odd\n"
        require_users_things(world)
        require_invariants(repo, world.facts["start"])


def require_users_things(world: World) -> None:
    """The user's edit, untracked file and stash entry are as they were."""
    repo = world.repo
    assert repo.git("status", "--porcelain") == " M README.md\n?? notes.txt"
    assert (repo.path / "README.md").read_text() == "the user's edit\n"
    assert (repo.path / "notes.txt").read_text() == "the user's notes\n"
    assert repo.git("stash", "list", "--format=%H") == world.facts["stash"]
