"""``queue pause --below`` as a user meets it: at the queue's commands, and in a run."""

from __future__ import annotations

import os

import pytest

from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of plans are POSIX shell here")
WHY = "its priority is 25, and nothing below 60 lands: release day"


def plan(name: str, priority: object, **header: object) -> dict[str, object]:
    return {"files": {"write": [name]}, "priority": priority, "run": f"echo x > {name}", **header}


def test_below_a_priority_the_queue_is_frozen_and_says_so_everywhere(repo: GitRepo) -> None:
    for name in ("low", "high"):
        repo.branch(name, {name: "1\n"})
        run("queue", "add", name, "--priority", name, cwd=repo.path)
    said = run("queue", "pause", "--below", "60", "--why", "release day", "--json", cwd=repo.path)
    frozen = {"below": 60.0, "why": "release day"}
    assert said.data == {"frozen": frozen, "holds": 1}
    before = run("queue", "explain", "low", cwd=repo.path)
    assert f"low queued: {WHY}; nobody works at the queue\n" in before.out, "before any worker has said so"
    assert "hint: `planctl queue resume` lets all go on" in before.out
    run("queue", "pause", "--why", "lunch", cwd=repo.path)
    listed = run("queue", "list", "--json", cwd=repo.path).data
    assert (listed["paused"], listed["frozen"]) == ("lunch", frozen), "both stand"
    assert run("queue", "resume", "--json", cwd=repo.path).data == {"paused": None, "frozen": None}
    shown = run("queue", "pause", "--below", "60", "--why", "release day", cwd=repo.path).out
    assert shown == "nothing below priority 60 lands: release day; 1 of 2 entries wait for that\n"
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    shown = run("queue", "list", cwd=repo.path).out
    assert (
        "queued  frozen, its priority is 25\nfrozen: nothing below priority 60 lands: release day\n" in shown
    )
    found = run("queue", "explain", "low", "--json", cwd=repo.path).data
    assert found["entry"]["reason"] == {"code": "frozen", "detail": WHY}
    assert (found["why"], found["frozen"], found["expected"]) == (
        f"{WHY}; nobody works at the queue",
        frozen,
        None,
    )
    assert "nothing below priority 60 lands: release day" in run("queue", "log", cwd=repo.path).out
    assert run("merge", "low", cwd=repo.path).code == 1
    run("queue", "resume", cwd=repo.path)
    assert run("queue", "list", "--json", cwd=repo.path).data["frozen"] is None
    assert "release day" not in run("queue", "explain", "low", cwd=repo.path).out
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    assert repo.show("main", "low") == "1\n"


@pytest.mark.parametrize("below", [(), ("--below", "60")])
def test_the_reason_is_one_line_wherever_it_is_shown(repo: GitRepo, below: tuple[str, ...]) -> None:
    """A line that begins with two colons is a command to GitHub's runner."""
    repo.branch("low", {"low": "1\n"})
    run("queue", "add", "low", cwd=repo.path)
    assert run("queue", "pause", *below, "--why", "red\n::error::x", cwd=repo.path).code == 0
    for command in (("queue", "list"), ("queue", "explain", "low"), ("queue", "log"), ("merge", "low")):
        lines = run(*command, cwd=repo.path).out.splitlines()
        assert any("red" in line for line in lines), command
        assert not any(line.startswith("::error::x") for line in lines), command


@pytest.mark.parametrize("priority", ["nan", "inf", "-inf", "1e400", "soon", ""])
def test_what_is_no_priority_is_a_usage_error(repo: GitRepo, priority: str) -> None:
    repo.branch("one", {"one": "1\n"})
    for arguments in (("pause", f"--below={priority}"), ("add", "one", f"--priority={priority}")):
        done = run("queue", *arguments, cwd=repo.path)
        assert (done.code, "is not a number from" in done.err) == (2, True), done
    assert run("queue", "list", "--json", cwd=repo.path).data["entries"] == []
    assert run("queue", "pause", "--below", "-5", cwd=repo.path).code == 0


def test_a_run_under_a_freeze_lands_the_rest_and_ends(repo: GitRepo) -> None:
    plans = {
        "low": plan("low", "low"),
        "high": plan("high", "high"),
        "on-low": plan("on-low", "high", dependencies=["low"]),
        "on-high": plan("on-high", 60, dependencies=["high"]),
    }
    commit_plans(repo, plans, "check: 'true'\n")
    run("queue", "pause", "--below", "60", "--why", "release day", cwd=repo.path)
    done = run("run-multi", "--all", cwd=repo.path)
    assert done.code == 1, "not all has landed"
    assert landings(repo) == ["high", "on-high"]
    assert f"low queued: {WHY}\n    hint: `planctl queue resume` lets all go on" in done.out
    assert f"on-low cancelled: waits for low, which is queued, and frozen ({WHY})" in done.out
    run("queue", "resume", cwd=repo.path)
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    assert landings(repo) == ["high", "on-high", "low"]
