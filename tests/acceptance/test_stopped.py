"""A plan, or a whole run, stopped from another process while it is at work."""

from __future__ import annotations

import pytest

from orchestrator.states import AttemptState, RunState
from tests.support.gates import Gates, assert_all_landed, assert_at_rest, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo


def commit_three(repo: GitRepo, gates: Gates) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a > one")},
        "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
        "c": {"files": {"write": ["three"]}, "run": gates.command("c", "echo c > three")},
    }
    commit_plans(repo, plans, "check: test ! -e bad\n")


def test_a_stopped_plan_is_cancelled_and_its_dependents_are_passed_over(repo: GitRepo, gates: Gates) -> None:
    commit_three(repo, gates)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at("a")
    gates.await_at("c")
    done = run("stop", "a", cwd=repo.path)
    assert done.code == 0, done.err
    assert read_until(process, "plan.cancelled", "a")["reason"]["code"] == "stopped"
    gates.open("c")
    ended = end_of(process)
    assert ended.code == 1, ended.err
    last = ended.events[-1]
    assert (last["event"], last["landed"], last["failed"], last["skipped"]) == (
        "run.finished",
        ["c"],
        [],
        ["a", "b"],
    )
    assert gates.nobody_at("a")
    assert_at_rest(repo, RunState.FINISHED)
    gates.open("a")
    again = run("retry", "a", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b", "c"])


@pytest.mark.parametrize("conducted", [True, False])
def test_a_stopped_run_can_be_resumed(repo: GitRepo, gates: Gates, conducted: bool) -> None:
    commit_three(repo, gates)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at("a")
    gates.await_at("c")
    name = read_until(process, "run.started")["run"]
    if not conducted:
        process.kill()
        end_of(process)
    done = run("stop", "--run", name, cwd=repo.path)
    assert done.code == 0, done.err
    if conducted:
        assert end_of(process).code == 143
        assert_at_rest(repo, RunState.INTERRUPTED)
    gates.open("a", "c")
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert gates.nobody_at("a", "c")
    assert_all_landed(repo, ["a", "b", "c"])


def test_a_plan_stopped_while_its_run_is_dead_stays_stopped(repo: GitRepo, gates: Gates) -> None:
    commit_three(repo, gates)
    process = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    assert run("stop", "a", cwd=repo.path).code == 0
    assert run("resume", cwd=repo.path).code == 1
    assert gates.executions() == {"a": 1}
    assert landings(repo) == []
    with store_of(repo) as store:
        assert [a.state for a in store.attempts(plan="a")] == [AttemptState.CANCELLED]
