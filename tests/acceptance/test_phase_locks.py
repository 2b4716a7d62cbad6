"""A plan that starts stacked on a phase of another, while that one goes on over the very same lines."""

from __future__ import annotations

import pytest

from tests.support.gates import Gates
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.queues import require_sound
from tests.support.repo import GitRepo
from tests.support.runs import ending, of

METHODS = ["merge", "squash", "rebase"]


def lock(gates: Gates, *, end: str = "true", check: str = "true") -> dict[str, dict[str, object]]:
    """``api`` writes the same line in both of its phases; ``page`` takes up what the first one wrote."""
    phases = [
        {"name": "1", "run": "echo one > api.txt"},
        {"name": "2", "run": gates.command("api", "echo two > api.txt")},
    ]
    page = {
        "files": {"write": ["page.txt"]},
        "dependencies": [{"plan": "api", "phase": 1}],
        "run": gates.command("page", "cp api.txt page.txt"),
        "priority": "critical",
    }
    api = {"files": {"write": ["api.txt", "end.txt"]}, "phases": phases, "run": end, "check": check}
    return {"api": api, "page": page}


@pytest.mark.parametrize("method", METHODS)
def test_s2_8_both_at_work_then_both_land_the_pinned_one_first(
    repo: GitRepo, gates: Gates, method: str
) -> None:
    commit_plans(repo, lock(gates), f"method: {method}\n")
    process = start("run-multi", "--all", "-j", "2", "--json", cwd=repo.path)
    gates.await_at("api")
    gates.await_at("page")  # both at once: the other goes on
    gates.open("page")
    read_until(process, "plan.finished", "page")
    waits = read_until(process, "plan.waiting", "page")["reason"]
    assert waits == {"code": "order", "plan": "api"}, "done first, it may not land first"
    gates.open("api")
    done = end_of(process)
    assert ending(done) == {"landed": ["api", "page"]}
    assert list(dict.fromkeys(landings(repo))) == ["api", "page"], "a rebase lands a commit for each phase"
    assert repo.show("main", "page.txt") == "one\n"
    assert repo.show("main", "api.txt") == "two\n", "what the pinned phase wrote is not brought back"
    assert of(done, "plan.landed", "page")
    require_sound(repo)


@pytest.mark.parametrize("method", METHODS)
def test_s2_8_when_the_pinned_one_is_rejected_the_other_waits_and_says_why(
    repo: GitRepo, gates: Gates, method: str
) -> None:
    commit_plans(repo, lock(gates, check="grep -q good api.txt"), f"method: {method}\n")
    before = repo.head("main")
    process = start("run-multi", "--all", "-j", "2", "--keep-going", "--json", cwd=repo.path)
    gates.await_at("api")
    gates.await_at("page")
    gates.open("page", "api")
    done = end_of(process)
    assert done.code == 1
    assert repo.head("main") == before
    assert of(done, "plan.waiting", "page")[-1]["reason"] == {
        "code": "dependency-rejected",
        "plan": "api",
        "detail": "rejected",
    }
    assert "page  waits for api, which is rejected\n" in run("status", cwd=repo.path).out
    require_sound(repo)
