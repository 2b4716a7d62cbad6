"""planctl lost in the middle: commands at work go on and are watched again, the others run again (S1.9)."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from orchestrator.running import supervision, waiting
from orchestrator.states import AttemptState, RunState
from tests.support.gates import Gates, assert_all_landed, assert_at_rest, at_work, store_of, supervised
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, read_until, run, start
from tests.support.repo import GitRepo
from tests.support.slices import seldom


def commit_pair(repo: GitRepo, gates: Gates, settings: str = "check: test ! -e bad\n") -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a > one")},
        "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
    }
    commit_plans(repo, plans, settings)


def resumed(repo: GitRepo) -> Done:
    done = run("resume", "--json", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    return done


@pytest.mark.parametrize("number", [signal.SIGKILL, *seldom(signal.SIGHUP)])
def test_s1_9_a_command_outlives_its_planctl_and_is_watched_again(
    repo: GitRepo, gates: Gates, number: int
) -> None:
    commit_pair(repo, gates)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at("a")
    process.send_signal(number)
    assert end_of(process).code == -number
    assert len(at_work(repo)) == 1
    again = start("resume", "--json", cwd=repo.path)
    read_until(again, "run.resumed")
    gates.open("a")
    done = end_of(again)
    assert done.code == 0, done.err
    assert gates.executions() == {"a": 1}
    assert_all_landed(repo, ["a", "b"])
    assert_at_rest(repo, RunState.FINISHED)


def test_s1_9_a_command_that_ended_meanwhile_is_not_run_again(repo: GitRepo, gates: Gates) -> None:
    commit_pair(repo, gates)
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    handle = supervised(repo, "a")
    gates.open("a")
    assert waiting.wait((handle,), threading.Event(), 60)
    resumed(repo)
    assert gates.executions() == {"a": 1}
    assert_all_landed(repo, ["a", "b"])


def test_s1_9_a_command_without_supervisor_is_ended_and_run_again_uncounted(
    repo: GitRepo, gates: Gates
) -> None:
    """planctl, then the supervisor: the exit status is unknowable, uncommitted work goes to the rescue."""
    work = "echo half > one; " + gates.command("a", "echo a > one")
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": work}})
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    handle = supervised(repo, "a")
    supervision.kill_supervisor(handle)
    gates.pass_later("a")  # for the second execution; the first stands at its gate still
    resumed(repo)
    assert gates.nobody_at("a")
    assert gates.executions() == {"a": 2}
    assert_all_landed(repo, ["a"])
    with store_of(repo) as store:
        lost, landed = store.attempts(plan="a")
    assert (lost.state, lost.counted) == (AttemptState.LOST, False)
    assert landed.state is AttemptState.LANDED
    rescued = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").splitlines()
    assert {repo.show(reference, "one") for reference in rescued} == {"half\n"}


def test_a_supervisor_killed_beside_a_living_planctl(repo: GitRepo, gates: Gates) -> None:
    commit_pair(repo, gates)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at("a")
    gates.pass_later("a")
    supervision.kill_supervisor(supervised(repo, "a"))
    done = end_of(process)
    assert done.code == 0, done.out + done.err
    assert gates.executions() == {"a": 2}
    assert_all_landed(repo, ["a", "b"])


def test_a_supervisor_that_is_shut_down_from_outside_runs_again(repo: GitRepo, gates: Gates) -> None:
    """As every process is when the machine goes down: nobody asked for the end of the plan."""
    commit_pair(repo, gates)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at("a")
    gates.pass_later("a")
    os.kill(supervised(repo, "a").supervisor, signal.SIGTERM)
    done = end_of(process)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, ["a", "b"])


def test_parent_death_stop_is_no_end_for_the_plan(repo: GitRepo, gates: Gates) -> None:
    """``parent_death: stop``: commands end with their planctl, and resume runs them again."""
    commit_pair(repo, gates, "check: test ! -e bad\nparent_death: stop\n")
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    handle = supervised(repo, "a")
    assert waiting.wait((handle,), threading.Event(), 60)
    gates.open("a")
    resumed(repo)
    assert_all_landed(repo, ["a", "b"])


@pytest.mark.parametrize(
    "moment",
    [
        "running.launch:after",  # launched, and the store does not know
        "plan.pin:after",  # a phase pinned, and not recorded
        "running.let-go:before:2",  # a further stage recorded, and not let go: the first is not run again
        *seldom("running.launch:before", "pointer.write:before"),
        *seldom("running.launch:after:2"),  # a further stage launched, and the store does not know
    ],
)
def test_killed_around_a_launch(repo: GitRepo, moment: str, tmp_path: Path) -> None:
    count = tmp_path / "count"
    repo.commit("plans", {"plans/a.md": _phased(count), "planctl.yaml": "check: test ! -e bad\n"})
    killed = run("run-multi", "--all", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    assert killed.code == -signal.SIGKILL, killed.out + killed.err
    resumed(repo)
    assert landings(repo) == ["a"]
    assert repo.show("main", "one") == "1\n2\n"
    assert sorted(count.read_text().split()) == ["1", "2"]


def _phased(count: Path) -> str:
    first, second = (json.dumps(f"echo {n} >> {count}; echo {n} >> one") for n in (1, 2))
    return f"""---
plan: a
files:
  write: [one]
phases:
  - name: "1"
    run: {first}
  - name: "2"
    run: {second}
---
# a

## Phase 1: first

- [ ] 1.1 one

## Phase 2: second

- [ ] 2.1 two
"""


def test_killed_during_the_set_up(repo: GitRepo, gates: Gates) -> None:
    """Its set-up command has nobody who waits for it any more: it is ended before the slot is used again."""
    commit_pair(repo, gates, f"setup: {json.dumps(gates.command('setup'))}\n")
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("setup")
    process.kill()
    end_of(process)
    pids = gates.pids("setup")
    gates.open("a")
    gates.pass_later("setup")
    resumed(repo)
    assert gates.nobody_at("setup"), pids
    assert_all_landed(repo, ["a", "b"])


def test_a_run_keeps_the_check_it_was_begun_with(repo: GitRepo, gates: Gates) -> None:
    commit_pair(repo, gates, "")
    check = gates.command("check", "test ! -e one")
    gates.open("check")
    process = start("run-multi", "--all", "--check", check, cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    gates.open("a")
    done = run("resume", cwd=repo.path)
    assert done.code == 1, done.out + done.err
    assert landings(repo) == []
    assert gates.executions()["check"] >= 1


def test_two_who_resume_at_once(repo: GitRepo, gates: Gates) -> None:
    commit_pair(repo, gates)
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    pair = [start("resume", "--json", cwd=repo.path) for _ in range(2)]
    done = []
    while len(done) < 1:
        done = [p for p in pair if p.poll() is not None]
    (busy,) = done
    assert end_of(busy).code == 4
    gates.open("a")
    (other,) = [p for p in pair if p is not busy]
    assert end_of(other).code == 0
    assert gates.executions() == {"a": 1}
    assert_all_landed(repo, ["a", "b"])


def test_resume_without_an_interrupted_run(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"run": "true"}})
    done = run("resume", cwd=repo.path)
    assert done.code == 2
    assert "no run was interrupted" in done.err


def test_work_of_an_interrupted_run_is_rescued_once(repo: GitRepo, gates: Gates) -> None:
    """At the interruption, and when the slot is used again: nothing has changed in between."""
    command = f"echo half > half; {gates.command('a', 'echo a > one')}"
    commit_plans(repo, {"a": {"files": {"write": ["**"]}, "run": command}})
    process = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    process.send_signal(signal.SIGINT)
    assert end_of(process).code == 130
    names = ("for-each-ref", "--format=%(refname)", "refs/planctl/rescue")
    kept = repo.git(*names)
    gates.pass_later("a")
    assert run("resume", cwd=repo.path).code == 0
    assert repo.git(*names) == kept
    assert repo.show(kept, "half") == "half\n"
