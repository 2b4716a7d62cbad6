"""``planctl lock`` as people, scripts and agents use it: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.running.platforms import find_process
from orchestrator.services.locks import Asked
from tests.support.process import COMMAND, end_of, run, start
from tests.support.repo import GitRepo

FOR_EVER = ("sh", "-c", "echo $PLANCTL_LEASE_TOKEN; sleep 600 & echo $!; wait")


def lock(repo: GitRepo, *arguments: str, code: int = 0) -> Any:
    done = run("lock", *arguments, "--json", cwd=repo.path)
    assert done.code == code, done.err
    return done.data


def holding(repo: GitRepo) -> tuple[subprocess.Popen[str], int, int]:
    """``lock run build`` at work: the process, the token, and the pid of what its command has started."""
    process = start("lock", "run", "build", "--", *FOR_EVER, cwd=repo.path)
    assert process.stdout is not None
    return process, int(process.stdout.readline()), int(process.stdout.readline())


def test_a_lock_is_held_until_it_is_given_back(repo: GitRepo) -> None:
    taken = lock(repo, "acquire", "deploy", "--session", "ada", "--purpose", "release 1.2")
    assert (taken["session"], taken["leases"][0]["token"]) == ("ada", 1)
    assert lock(repo, "acquire", "deploy", "--session", "ada")["leases"][0]["token"] == 2
    busy = lock(repo, "acquire", "deploy", "--session", "bob", "--no-wait", code=4)["error"]
    assert busy["code"] == "lease-busy"
    assert "held by agent ada" in busy["message"]
    assert "planctl lock break deploy" in busy["advice"]
    (row,) = lock(repo, "list")["leases"]
    assert (row["name"], row["scope"], row["session"], row["token"]) == ("deploy", "write", "ada", 2)
    assert row["holder"]["alive"]
    assert lock(repo, "release", "deploy", "--session", "bob", code=1)["released"] == []
    assert lock(repo, "release", "deploy", "--session", "ada", "--token", "1", code=1)["released"] == []
    assert [one["token"] for one in lock(repo, "release", "deploy", "--session", "ada")["released"]] == [2]
    assert lock(repo, "acquire", "deploy", "--session", "bob")["leases"][0]["token"] == 3
    told = [(row["action"], row["session"]) for row in lock(repo, "list", "--history")["history"]]
    assert told == [
        ("granted", "ada"),
        ("replaced", "ada"),
        ("granted", "ada"),
        ("gave-up", "bob"),
        ("released", "ada"),
        ("granted", "bob"),
    ]  # S1.11


def test_s1_1_readers_of_a_branch_share_and_files_are_compared_exactly(repo: GitRepo) -> None:
    for session in ("ada", "bob"):
        lock(repo, "acquire", "plan.api", "--read", "--branch", "main", "--session", session)
    for more in (["--read", "--branch", "dev"], ["--write"], ["--read"]):
        lock(repo, "acquire", "plan.api", *more, "--session", "cleo", "--no-wait", code=4)
    lock(repo, "acquire", "--files", "src/**", "--files", "!src/gen/**", "--session", "ada")
    lock(repo, "acquire", "--files", "src/new/x.py", "--session", "bob", "--no-wait", code=4)
    lock(repo, "acquire", "--files", "src/gen/x.py", "--session", "bob")
    assert lock(repo, "acquire", "--files", "../x", "--session", "bob", code=2)["error"]["code"] == "usage"
    assert lock(repo, "release", "--all", "--session", "bob")["released"]
    assert [row["session"] for row in lock(repo, "list", "files")["leases"]] == ["ada"]


def test_s1_5_who_waits_is_shown_with_place_and_reason_and_told_when_it_begins(repo: GitRepo) -> None:
    lock(repo, "acquire", "build", "--session", "ada", "--purpose", "nightly")
    waiting = start("lock", "acquire", "build", "--session", "bob", "--timeout", "60s", cwd=repo.path)
    assert waiting.stderr is not None
    said = [waiting.stderr.readline() for _ in range(3)]
    assert all("held by agent ada" in line and ": nightly, number 1 in the line" in line for line in said)
    assert said[0].startswith("retry 1 in ")  # S1.3
    (row,) = lock(repo, "list")["waiting"]
    assert (row["session"], row["position"], row["waits_for"]) == ("bob", 1, ["ada"])
    lock(repo, "release", "build", "--session", "ada")
    done = end_of(waiting)
    assert done.code == 0
    assert "had after waiting" in done.err
    assert "build is held by bob, token 2" in done.out


def test_s1_5_a_time_out_shows_the_choices(repo: GitRepo) -> None:
    lock(repo, "acquire", "build", "--session", "ada")
    done = run("lock", "acquire", "build", "--session", "bob", "--timeout", "0.2", cwd=repo.path)
    assert done.code == 4
    for choice in ("--timeout 5m", "lock list build", "lock break build", "planctl doctor"):
        assert choice in done.err
    assert not lock(repo, "list")["waiting"]


def test_a_command_runs_under_a_lease_and_its_exit_code_is_ours(repo: GitRepo) -> None:
    script = "echo $PLANCTL_LEASE $PLANCTL_LEASE_TOKEN; exit 7"
    done = run("lock", "run", "build", "--", "sh", "-c", script, cwd=repo.path)
    assert (done.code, done.out) == (7, "build 1\n")
    assert lock(repo, "list")["leases"] == []
    assert run("lock", "run", "build", "--", "no-such-program", cwd=repo.path).code == 1
    assert lock(repo, "list")["leases"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_s0_5_a_signal_ends_the_command_and_gives_the_lease_back(repo: GitRepo, number: int) -> None:
    process, _, grandchild = holding(repo)
    process.send_signal(number)
    assert end_of(process).code == 128 + number
    assert find_process(grandchild) is None
    assert lock(repo, "list")["leases"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_s0_5_a_signal_ends_a_wait_and_gives_back_what_was_had(repo: GitRepo, number: int) -> None:
    run("session", "start", "bob", cwd=repo.path)
    lock(repo, "acquire", "b", "--session", "ada")
    process = start("lock", "acquire", "a", "b", "--session", "bob", "--timeout", "60s", cwd=repo.path)
    assert process.stderr is not None
    assert "retry 1" in process.stderr.readline()
    process.send_signal(number)
    assert end_of(process).code == 128 + number
    said = lock(repo, "list")
    assert [row["name"] for row in said["leases"]] == ["b"]
    assert said["waiting"] == []


def test_a_lease_that_is_broken_ends_its_holders_work(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "leases: {heartbeat: 0.2}\n")
    process, token, grandchild = holding(repo)
    broken = lock(repo, "break", "build")["broken"]
    assert [one["token"] for one in broken] == [token]
    done = end_of(process)
    assert done.code == 4
    assert "the lease on build was lost" in done.err
    assert find_process(grandchild) is None
    events = run("events", "--json", cwd=repo.path).events
    assert [event["action"] for event in events if event["event"] == "lease.lost"] == ["broken"]
    assert lock(repo, "list", "--history")["history"][-1]["action"] == "lost"
    lock(repo, "break", "build", code=2)


def test_after_a_kill_the_next_has_it_at_once(repo: GitRepo) -> None:
    process, token, grandchild = holding(repo)
    process.kill()
    process.wait()
    taken = lock(repo, "acquire", "build", "--no-wait")
    assert taken["leases"][0]["token"] == token + 1
    assert "ended" in [row["action"] for row in lock(repo, "list", "--history")["history"]]
    os.kill(grandchild, signal.SIGKILL)


def waiting(repo: GitRepo, *arguments: str) -> subprocess.Popen[str]:
    """One that stands in line, and is shown there."""
    process = start("lock", *arguments, cwd=repo.path)
    assert process.stderr is not None
    assert "retry 1" in process.stderr.readline()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    "words",
    [("acquire", "build", "--session", "bob"), ("run", "build", "--purpose", "x")],
    ids=["acquire", "run"],
)
def test_a_waiter_that_was_killed_has_no_place_in_the_line(repo: GitRepo, words: tuple[str, ...]) -> None:
    """Its session, the agent's, lives on: what is proven is the death of the process that waits."""
    lock(repo, "acquire", "build", "--session", "ada")
    command = ("--", "true") if words[0] == "run" else ()
    first = waiting(repo, *words, "--timeout", "10m", *command)
    (row,) = lock(repo, "list")["waiting"]
    assert row["position"] == 1
    kill(first)
    assert lock(repo, "list")["waiting"] == [] or words[0] == "run"
    busy = lock(repo, "acquire", "build", "--session", "cleo", "--no-wait", code=4)["error"]
    assert "agent ada" in busy["message"]
    lock(repo, "release", "build", "--session", "ada")
    assert lock(repo, "acquire", "build", "--session", "cleo", "--no-wait")["leases"][0]["token"] == 2
    assert lock(repo, "list")["waiting"] == []


def test_s1_13_a_waiter_that_was_killed_closes_no_circle(repo: GitRepo) -> None:
    """Ada waited for bob, and was killed while she did: bob waits for what she holds, and is told no more."""
    lock(repo, "acquire", "x", "--session", "ada")
    lock(repo, "acquire", "y", "--session", "bob")
    kill(waiting(repo, "acquire", "y", "--session", "ada", "--timeout", "10m"))
    busy = lock(repo, "acquire", "x", "--session", "bob", "--timeout", "0.1", code=4)["error"]
    assert busy["code"] == "lease-busy"
    (note,) = [n for n in lock(repo, "list", "--history")["history"] if n["session"] == "ada"][1:]
    assert (note["action"], note["detail"]) == ("gave-up", "its process is dead")


def test_a_sweep_takes_the_places_of_the_dead(repo: GitRepo) -> None:
    lock(repo, "acquire", "build", "--session", "ada")
    kill(waiting(repo, "acquire", "build", "--session", "bob", "--timeout", "10m"))
    run("watchdog", "--once", cwd=repo.path)
    assert [n["action"] for n in lock(repo, "list", "build", "--history")["history"]] == [
        "granted",
        "gave-up",
    ]


def test_who_was_stopped_and_wakes_up_changes_nothing(repo: GitRepo) -> None:
    """After its time another has the lease; the first finds out, ends its command, and takes nothing back."""
    repo.write("planctl.yaml", "leases: {heartbeat: 0.2, expiry: 1s}\n")
    process, token, grandchild = holding(repo)
    process.send_signal(signal.SIGSTOP)
    taken = lock(repo, "acquire", "build", "--session", "bob", "--timeout", "60s")
    assert taken["leases"][0]["token"] == token + 1
    process.send_signal(signal.SIGCONT)
    assert end_of(process).code == 4
    assert find_process(grandchild) is None
    (row,) = lock(repo, "list", "build")["leases"]
    assert (row["session"], row["token"]) == ("bob", token + 1)


def test_s1_13_two_that_wait_for_each_other_do_not_wait_for_ever(repo: GitRepo) -> None:
    lock(repo, "acquire", "x", "--session", "ada")
    lock(repo, "acquire", "y", "--session", "bob")
    first = start("lock", "acquire", "y", "--session", "ada", "--timeout", "60s", "--json", cwd=repo.path)
    assert first.stderr is not None
    assert "retry 1" in first.stderr.readline()
    refused = lock(repo, "acquire", "x", "--session", "bob", "--timeout", "60s", code=4)["error"]
    assert refused["code"] == "deadlock"
    assert "bob → ada → bob" in refused["message"]
    lock(repo, "release", "--all", "--session", "bob")
    assert end_of(first).data["leases"][0]["name"] == "y"


def test_what_runs_under_a_lease_speaks_for_whoever_began_it(repo: GitRepo) -> None:
    run("session", "start", "ada", cwd=repo.path)
    inner = (*COMMAND, "lock", "acquire", "other", "--json")
    done = run("lock", "run", "build", "--", *inner, cwd=repo.path)
    assert done.data["session"] == "ada", done.err


def test_a_dead_agent_is_no_trouble_to_doctor_unless_it_held_something(repo: GitRepo) -> None:
    keeping = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    nothing: set[str] = set()
    for more, codes in [
        (("session", "heartbeat"), nothing),
        (("lock", "acquire", "x"), {"session-dead", "lease-stale"}),
    ]:
        subprocess.run([sys.executable, "-c", keeping, *COMMAND, *more], cwd=repo.path, check=True)
        found = run("doctor", "--json", cwd=repo.path).data["issues"]
        assert {issue["code"] for issue in found} & {"session-dead", "session-late", "lease-stale"} == codes
    assert run("doctor", "--fix", "--json", cwd=repo.path).code == 0
    assert lock(repo, "list")["leases"] == []


def test_names_of_planctls_own_are_refused(repo: GitRepo) -> None:
    for name in ("queue:refs/heads/main", "task:api:1.1", "resolve:1", "", "a\nb"):
        lock(repo, "acquire", name, "--no-wait", code=2)
    lock(repo, "release", "task:api:1.1", code=2)


def test_what_others_say_of_a_lock_is_one_line_and_a_priority_is_a_number(repo: GitRepo) -> None:
    lock(repo, "acquire", "build", "--session", "ada", "--purpose", "mine\nretry 6/6: \x1b[31mgo on")
    done = run("lock", "acquire", "build", "--session", "bob", "--timeout", "0.1", cwd=repo.path)
    assert done.code == 4
    assert "mine\\x0aretry" in done.err
    assert len(done.err.splitlines()) == len([line for line in done.err.splitlines() if "\\x0a" in line]) + 1
    for priority in ("nan", "inf", "-1e9"):
        with pytest.raises(UsageError, match="priority"):
            Asked(("build",), priority=float(priority)).wanted("bob", 60)
