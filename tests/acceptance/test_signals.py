"""SIGINT and SIGTERM at every stage of a run (S0.5), then ``resume``: every plan lands exactly once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from orchestrator.states import RunState
from tests.support.gates import Gates, assert_all_landed, assert_at_rest
from tests.support.plans import commit_plans
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo
from tests.support.slices import seldom


def two_plans(repo: GitRepo, gates: Gates, *, stage: str) -> None:
    """Plan a, and b that waits for it; the gate is where ``stage`` says."""
    work = gates.command("a", "echo a > one") if stage == "running" else "echo a > one"
    settings = {
        "preparing": f"setup: {json.dumps(gates.command('setup'))}\n",
        "checking": f"check: {json.dumps(gates.command('check', 'test ! -e bad'))}\n",
    }.get(stage, "check: test ! -e bad\n")
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": work},
        "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
    }
    commit_plans(repo, plans, settings)


@pytest.mark.parametrize(("number", "code"), [*seldom((signal.SIGINT, 130)), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("stage", "gate"), [("running", "a"), *seldom(("preparing", "setup")), ("checking", "check")]
)
def test_s0_5_a_signal_ends_the_run_in_order(
    repo: GitRepo, gates: Gates, stage: str, gate: str, number: int, code: int
) -> None:
    two_plans(repo, gates, stage=stage)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at(gate)
    process.send_signal(number)
    done = end_of(process)
    assert done.code == code, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines[-2]["event"] == "run.interrupted"
    assert lines[-1]["error"]["exit"] == code
    assert f"planctl resume {lines[-2]['run']}" in done.err
    assert gates.nobody_at(gate)
    assert_at_rest(repo, RunState.INTERRUPTED)
    gates.open(gate)
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])
    assert_at_rest(repo, RunState.FINISHED)


def test_s0_5_ctrl_c_on_a_terminal_reaches_the_whole_process_group(repo: GitRepo, gates: Gates) -> None:
    """And so do all the further ones of an impatient person: nothing changes."""
    two_plans(repo, gates, stage="running")
    process = start("run-multi", "--all", "--json", cwd=repo.path, group=True)
    gates.await_at("a")
    for _ in range(20):
        os.killpg(process.pid, signal.SIGINT)
    done = end_of(process)
    assert done.code == 130, done.err
    assert "Traceback" not in done.err
    assert_at_rest(repo, RunState.INTERRUPTED)
    gates.open("a")
    assert run("resume", cwd=repo.path).code == 0
    assert_all_landed(repo, ["a", "b"])
    assert gates.executions() == {"a": 2}


@pytest.mark.parametrize(
    "moment", ["landing.refs:after", *seldom("landing.refs:before", "candidate.keep:after")]
)
def test_s0_5_a_signal_during_a_landing(repo: GitRepo, gates: Gates, tmp_path: Path, moment: str) -> None:
    two_plans(repo, gates, stage="landing")
    trace = tmp_path / "trace"
    os.mkfifo(trace)
    process = start("run-multi", "--all", cwd=repo.path, env={"PLANCTL_STEP_TRACE": str(trace)})
    reader = os.open(trace, os.O_RDWR)  # both ends: it never closes while others write
    with os.fdopen(reader, "r", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(moment):
                break
        process.send_signal(signal.SIGTERM)
        done = end_of(process)
    assert done.code == 143, done.out + done.err
    assert_at_rest(repo, RunState.INTERRUPTED)
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])


def test_s0_5_a_signal_while_all_plans_wait_for_another_run(repo: GitRepo, gates: Gates) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a > one")},
        "b": {"files": {"write": ["one"]}, "run": "echo b > one"},
    }
    commit_plans(repo, plans)
    first = start("run-multi", "a", "--json", cwd=repo.path)
    gates.await_at("a")
    second = start("run-multi", "b", "--json", cwd=repo.path)
    assert read_until(second, "plan.waiting", "b")["reason"]["code"] == "overlap"
    second.send_signal(signal.SIGINT)
    done = end_of(second)
    assert done.code == 130, done.err
    gates.open("a")
    ended = end_of(first)
    assert ended.code == 0, ended.err
    assert run("resume", cwd=repo.path).code == 0
    assert_all_landed(repo, ["a", "b"])


def test_s0_5_killed_in_the_middle_of_an_orderly_stop_nothing_is_cancelled(
    repo: GitRepo, gates: Gates
) -> None:
    """Ctrl-C, and then the impatient kill -9, before it is noted that planctl itself stopped the command."""
    two_plans(repo, gates, stage="running")
    process = start("run-multi", "--all", cwd=repo.path, env={"PLANCTL_KILL_AT": "running.record-stop:after"})
    gates.await_at("a")
    process.send_signal(signal.SIGINT)
    assert end_of(process).code == -signal.SIGKILL
    gates.open("a")
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])


def test_s0_5_a_command_that_had_ended_is_finished_and_not_run_again(repo: GitRepo, gates: Gates) -> None:
    """It ended on its own while another one was being stopped."""
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a > one")},
        "b": {
            "files": {"write": ["two"]},
            "run": f"trap 'echo b > two; exit 0' TERM; {gates.command('b', 'false')}; echo b > two; exit 0",
        },
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    gates.await_at("a")
    gates.await_at("b")
    os.kill(process.pid, signal.SIGSTOP)  # planctl sees neither the end of b nor the signal yet
    gates.open("b")
    wait_for_record(repo, "b")
    process.send_signal(signal.SIGTERM)
    os.kill(process.pid, signal.SIGCONT)
    assert end_of(process).code == 143
    gates.open("a")
    assert run("resume", cwd=repo.path).code == 0
    assert gates.executions() == {"a": 2, "b": 1}
    assert_all_landed(repo, ["a", "b"])


def wait_for_record(repo: GitRepo, plan: str) -> None:
    """Wait until the supervisor of ``plan`` has said how its command ended."""
    import threading

    from orchestrator.running import supervision, waiting
    from tests.support.gates import store_of

    with store_of(repo) as store:
        (attempt,) = store.attempts(plan=plan)
    # by its folder: planctl may have been stopped before it could store the supervisor's name
    (record,) = (repo.path / ".git/planctl/records").glob(f"{attempt.id}-*")
    handle = supervision.find(record)
    assert handle is not None
    assert waiting.wait((handle,), threading.Event(), 60)


def test_a_signal_before_anything_is_stored_starts_nothing(repo: GitRepo, tmp_path: Path) -> None:
    commit_plans(repo, {"a": {"run": "true"}})
    sign = tmp_path / "gpg"
    at, go = tmp_path / "at", tmp_path / "go"
    os.mkfifo(at)
    os.mkfifo(go)
    signature = "echo >&2; echo '[GNUPG:] SIG_CREATED ' >&2; echo s"
    sign.write_text(f"#!/bin/sh\ncat > /dev/null\necho here > {at}\nread x < {go}\n{signature}\n")
    sign.chmod(0o755)
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "gpg.program", str(sign))
    process = start("run-multi", "a", "--json", cwd=repo.path)
    assert at.read_text() == "here\n"
    process.send_signal(signal.SIGTERM)
    go.write_text("go\n")
    done = end_of(process)
    assert done.code == 143, done.err
    assert "before anything was started" in done.err
    assert run("resume", cwd=repo.path).code == 2


def test_a_signal_that_was_ignored_at_the_start_stays_ignored(repo: GitRepo, gates: Gates) -> None:
    """As ``nohup`` and ``&`` in scripts want it."""
    two_plans(repo, gates, stage="running")
    process = start("run-multi", "--all", cwd=repo.path, ignored=(signal.SIGINT,))
    gates.await_at("a")
    process.send_signal(signal.SIGINT)
    gates.open("a")
    assert end_of(process).code == 0
    assert_all_landed(repo, ["a", "b"])
