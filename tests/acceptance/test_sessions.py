"""Agents and people that planctl did not start: real processes that register, beat, tell, crash and leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bootstrap import attending
from orchestrator.errors import SessionEndedError
from orchestrator.services.speaking import beaten, speaker
from orchestrator.sessions import ancestry
from orchestrator.sessions.ancestry import Ancestor, worker
from orchestrator.sessions.identity import started
from orchestrator.states import SessionState
from tests.support.agents import PLANCTL, Agent
from tests.support.process import COMMAND, Done, run
from tests.support.repo import GitRepo
from worktrees.repository import find


def session(repo: GitRepo, *arguments: str, code: int = 0, **env: str) -> Any:
    done = run("session", *arguments, "--json", cwd=repo.path, env=env)
    assert done.code == code, done.err
    return done.data


@pytest.fixture
def agent(repo: GitRepo) -> Iterator[Agent]:
    with Agent(repo) as found:
        yield found


def test_s4_6_a_session_is_known_by_its_fingerprint(repo: GitRepo) -> None:
    begun = session(repo, "start", "--agent", "claude", "--label", "python", "--note", "tests")
    assert begun["pid"] == os.getpid()
    assert begun["parent_pid"] == os.getppid()
    assert begun["process_started"] == started(os.getpid())
    assert {"terminal", "host", "container", "boot", "heartbeat_at"} <= begun.keys()
    assert (begun["agent"], begun["labels"], begun["note"]) == ("claude", ["python"], "tests")
    (row,) = session(repo, "list")["sessions"]  # S4.7
    assert row == {**begun, "leases": []}
    assert session(repo, "start", "--agent", "claude")["id"] == begun["id"], "the same agent, once more"
    unnamed = [session(repo, "start")["id"] for _ in range(2)]
    assert len({*unnamed, begun["id"]}) == 3  # S1.15


def test_s3_5_who_works_here_and_what_is_above_is_no_child(repo: GitRepo) -> None:
    """A watchdog would end it, when the session has crashed, with all that is below it."""
    for pid in (os.getpid(), os.getppid()):
        refused = session(repo, "start", "--agent", "claude", "--child", str(pid), code=2)
        assert f"--child {pid} is the process that works here" in refused["error"]["message"]
    begun = session(repo, "start", "--agent", "claude")
    assert run("session", "heartbeat", begun["id"], "--child", str(os.getppid()), cwd=repo.path).code == 2
    assert session(repo, "list")["sessions"][0]["children"] == []


def test_s4_6_a_name_is_refused_while_the_first_lives_and_taken_over_when_it_is_dead(
    repo: GitRepo, agent: Agent
) -> None:
    assert agent.says("session start forge") == "forge"
    assert agent.says("lock acquire build") == "build is held by forge, token 1"
    refused = session(repo, "start", "forge", code=4)["error"]
    assert f"pid {agent.process.pid}" in refused["message"]
    agent.kill()
    mine = session(repo, "start", "forge")
    assert (mine["pid"], mine["state"]) == (os.getpid(), "active")
    (row,) = session(repo, "list")["sessions"]
    assert (row["id"], row["leases"]) == ("forge", []), "what the dead one held is not its namesake's"


def test_whoever_speaks_under_the_name_of_a_dead_one_holds_nothing_of_his(
    repo: GitRepo, agent: Agent
) -> None:
    assert agent.says("session start forge") == "forge"
    agent.says("lock acquire build")
    agent.kill()
    done: list[Done] = []
    threads = [
        threading.Thread(
            target=lambda: done.append(
                run("session", "heartbeat", cwd=repo.path, env={"PLANCTL_SESSION": "forge"})
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.code for one in done] == [0] * 4, [one.err for one in done]
    (row,) = session(repo, "list")["sessions"]
    assert (row["id"], row["pid"], row["leases"]) == ("forge", os.getpid(), [])


def test_the_next_command_of_an_attempt_holds_what_the_one_before_it_held(repo: GitRepo) -> None:
    keeping = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    attempt = "01JDQ8ZC3V5N7B9M2K4H6F8D1A"
    for number, words in ((0, ("lock", "acquire", "build")), (1, ("session", "heartbeat"))):
        subprocess.run(
            [sys.executable, "-c", keeping, *COMMAND, *words],
            cwd=repo.path,
            env={**os.environ, "PLANCTL_ATTEMPT": f"{attempt}-{number}"},
            check=True,
        )
    (row,) = session(repo, "list")["sessions"]
    assert (row["id"], row["leases"]) == (attempt, ["build"])


def test_a_session_that_ends_between_the_look_and_the_beat_is_told_so(repo: GitRepo) -> None:
    with attending(find(repo.path)) as (store, clock):
        for move, ended in ((SessionState.STALE, False), (SessionState.ENDED, True)):
            seen = speaker(store, clock, "ada", {})
            store.move_session(seen, move)
            if ended:
                with pytest.raises(SessionEndedError):
                    beaten(store, clock, seen)
            else:
                assert beaten(store, clock, seen).state is SessionState.ACTIVE


def test_of_many_that_want_one_name_at_once_one_has_it(repo: GitRepo) -> None:
    session(repo, "start")
    done: list[Done] = []
    threads = [
        threading.Thread(target=lambda: done.append(run("session", "start", "one", cwd=repo.path)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.code for one in done) == [0] + [4] * 7


def test_an_agent_whose_shells_come_and_go_is_one_session(repo: GitRepo, agent: Agent) -> None:
    key = agent.says("session start --agent codex")
    assert agent.says("session start --agent codex") == key
    agent.says("lock acquire build")
    (row,) = session(repo, "list")["sessions"]
    assert (row["id"], row["pid"], row["leases"]) == (key, agent.process.pid, ["build"])
    assert agent.says("session heartbeat --task auth:1.1") == ""
    assert session(repo, "list")["sessions"][0]["task"] == "auth:1.1"  # S4.13
    assert agent.says("session end") == f"session {key} has ended, and gave back build"
    assert session(repo, "list")["sessions"] == []


def test_one_that_never_registered_is_registered_on_the_spot(repo: GitRepo, agent: Agent) -> None:
    said = agent.says("lock acquire build")
    (row,) = session(repo, "list")["sessions"]
    assert row["pid"] == agent.process.pid
    assert row["id"] in said
    agent.kill()
    assert run("lock", "acquire", "build", "--no-wait", cwd=repo.path).code == 0


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_parts_of_one_shell_script_are_one_session(repo: GitRepo, tmp_path: Path, shell: str) -> None:
    """What a shell forks for ``$(… | …)`` is gone a moment later; a lease tied to it would be free."""
    script = tmp_path / "script"
    script.write_text(
        f"a=$({PLANCTL} lock acquire a --json | cat)\n"
        f"( {PLANCTL} lock acquire b >/dev/null; : )\n"
        f"{PLANCTL} lock list --json\n"
    )
    said = subprocess.run([shell, str(script)], cwd=repo.path, capture_output=True, check=True)
    rows = json.loads(said.stdout)["leases"]
    assert [(row["name"], row["holder"]["alive"]) for row in rows] == [("a", True), ("b", True)]
    assert len({row["session"] for row in rows}) == 1


def test_of_two_commands_at_once_one_registers_the_process_above(repo: GitRepo, agent: Agent) -> None:
    agent.says("session list")  # makes the store
    both = f"lock acquire a & {PLANCTL} lock acquire b & wait"
    assert "token 1" in agent.says(both)
    assert len(session(repo, "list")["sessions"]) == 1


def test_which_session_a_command_speaks_for(repo: GitRepo) -> None:
    above = session(repo, "start")["id"]
    for options, env, expected in [
        ([], {}, above),
        (["--session", "named"], {"PLANCTL_SESSION": "said"}, "named"),
        ([], {"PLANCTL_SESSION": "said"}, "said"),
        ([], {"PLANCTL_SESSION": "run", "PLANCTL_ATTEMPT": "01ATTEMPT"}, "01ATTEMPT"),
    ]:
        assert session(repo, "heartbeat", *options, **env)["id"] == expected
    assert session(repo, "heartbeat", "no id", code=2)["error"]["code"] == "usage"


def test_s4_10_messages_reach_one_or_all_and_are_read_once(repo: GitRepo) -> None:
    for key in ("ada", "bob", "cleo"):
        session(repo, "start", key)
    assert session(repo, "message", "bob", "take", "auth:1.2", "--session", "ada")["to"] == ["bob"]
    assert session(repo, "message", "all", "main is red", "--session", "bob")["to"] == ["ada", "cleo"]
    assert (
        session(repo, "message", "dora", "hm", "--session", "ada", code=2)["error"]["code"] == "nothing-to-do"
    )
    (told,) = session(repo, "heartbeat", "bob")["messages"]
    assert (told["from"], told["text"]) == ("ada", "take auth:1.2")
    assert session(repo, "heartbeat", "bob")["messages"] == []
    assert [m["text"] for m in session(repo, "heartbeat", "cleo")["messages"]] == ["main is red"]
    assert "bob: main is red" in run("session", "heartbeat", "ada", cwd=repo.path).out


def test_who_lost_a_lease_is_told_with_the_next_heartbeat(repo: GitRepo) -> None:
    run("lock", "acquire", "build", "--session", "ada", cwd=repo.path)
    run("lock", "break", "build", "--session", "bob", cwd=repo.path)
    (told,) = session(repo, "heartbeat", "ada")["messages"]
    assert told["from"] == "planctl"
    assert told["text"] == "your lease on build (token 1) is gone, broken: by bob"


def test_whoever_beats_for_a_session_that_has_ended_is_told_so(repo: GitRepo) -> None:
    session(repo, "start", "ada")
    assert session(repo, "end", "ada")["ended"]
    assert session(repo, "heartbeat", "ada", code=1)["error"]["code"] == "session-ended"
    assert not session(repo, "end", "ada", code=1)["ended"]
    (row,) = session(repo, "list", "--all")["sessions"]
    assert (row["state"], row["alive"]) == ("ended", False)
    assert session(repo, "start", "ada")["state"] == "active"


def test_s3_1_children_are_recorded_with_when_they_started(repo: GitRepo) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    made = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    one, two = (process.pid for process in made)
    try:
        session(repo, "start", "ada", "--agent", "forge", "--child", str(one))
        session(repo, "heartbeat", "ada", "--child", str(two), "--child", str(one))
        (row,) = session(repo, "list")["sessions"]
        assert [(c["pid"], c["started"]) for c in row["children"]] == [
            (pid, started(pid)) for pid in (one, two)
        ]
        again = session(repo, "start", "--agent", "forge")
        assert again["children"] == row["children"], "who registers once more has them still"
    finally:
        for process in made:
            process.communicate()


def test_an_agents_session_lasts_as_long_as_the_settings_say(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "leases: {session: 5m}\n")
    assert 299 < session(repo, "heartbeat", "ada")["expires_in_seconds"] <= 300


def test_a_run_of_planctls_own_is_not_ended_from_beside(repo: GitRepo) -> None:
    from orchestrator.bootstrap import thread_store
    from orchestrator.clock import SystemClock
    from orchestrator.sessions.registry import start_session
    from worktrees.repository import find

    with start_session(thread_store(find(repo.path)), SystemClock(), "run") as handle:
        assert session(repo, "end", handle.id, code=2)["error"]["code"] == "usage"
        assert session(repo, "heartbeat", handle.id)["id"] == handle.id


@pytest.mark.parametrize("env", [{"CI": "true"}, {"TERM": "dumb", "CI": ""}])
def test_s3_9_nothing_stays_behind_and_no_terminal_is_asked(repo: GitRepo, env: dict[str, str]) -> None:
    """Its own process group is empty when a command has ended: no background process, on no way out."""
    began = time.monotonic()
    for words in (["session", "start", "ada"], ["session", "heartbeat", "ada"], ["session", "end", "ada"]):
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=repo.path,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        process.communicate(timeout=60)
        assert process.returncode == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("command", "passing"),
    [
        (("sh", "-c", "planctl x"), True),
        (("/bin/bash", "-lc", "planctl x"), True),
        (("bash", "--norc", "-ec", "x"), True),
        (("-bash",), False),
        (("bash", "script.sh", "-c"), False),
        (("env", "A=1", "planctl"), True),
        (("node", "claude"), False),
        (("uv", "run", "planctl", "x"), True),
        ((), False),
    ],
)
def test_a_shell_for_one_command_is_passed_over(command: tuple[str, ...], passing: bool) -> None:
    one = Ancestor(5, 1.0, command)
    assert one.is_passing is passing
    agent = Ancestor(4, 1.0, ("node", "claude"))
    assert worker([one, agent]) == (agent if passing else one)
    assert worker([one]) == one
    assert worker([]).pid == os.getpid()


def test_the_processes_above_are_seen_up_to_the_first() -> None:
    found = [*ancestry.ancestors()]
    assert found[0].pid == os.getppid()
    assert found[0].started == started(os.getppid())
    other = (ancestry._parent_by_psutil(os.getpid()), ancestry._command_by_psutil(os.getppid()))
    assert other == (os.getppid(), found[0].command)
    assert Path(f"/proc/{found[-1].pid}").exists()
