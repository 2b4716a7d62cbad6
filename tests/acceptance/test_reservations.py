"""Files that a session has reserved, and plans of ``run-multi``: each keeps the other waiting (issue 6)."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

from tests.support.gates import Gates
from tests.support.plans import commit_plans, landings
from tests.support.process import COMMAND, end_of, read_until, run, start
from tests.support.repo import GitRepo

MINE = {"PLANCTL_SESSION": "mine"}
"""The session that runs are conducted for; else it were the newest of this process: whoever reserves."""
PLANCTL = shlex.join(COMMAND)


def lock(repo: GitRepo, *arguments: str, code: int = 0) -> Any:
    done = run("lock", *arguments, "--json", cwd=repo.path)
    assert done.code == code, done.err
    return done.data


def conduct(repo: GitRepo, *plans: str) -> subprocess.Popen[str]:
    return start("run-multi", *plans, "--json", cwd=repo.path, env=MINE)


def test_a_plan_waits_for_a_reservation_that_names_holder_pattern_and_witness(
    repo: GitRepo, gates: Gates
) -> None:
    """Another plan, which the reservation does not meet, goes on; the holder is told, and frees the first."""
    commit_plans(
        repo,
        {
            "api": {"files": {"write": ["src/new/x.py"]}, "run": "mkdir -p src/new; echo a > src/new/x.py"},
            "gen": {"files": {"write": ["src/gen/**"]}, "run": gates.command("gen", "true")},
        },
    )
    lock(repo, "acquire", "--files", "src/**", "--files", "!src/gen/**", "--session", "ada")
    done = run("overlap", "--json", cwd=repo.path, env=MINE)
    (row,) = done.data["reserved"]
    assert done.code == 0, "a reservation is no overlap of plans"
    assert (row["plan"], row["session"], row["witness"]) == ("api", "ada", "src/new/x.py")
    assert (row["declared"], row["pattern"]) == ("src/new/x.py", "src/**")
    said = run("overlap", cwd=repo.path, env=MINE).out
    assert "api would wait for agent ada" in said
    assert "who has reserved src/**: both match src/new/x.py" in said
    dry = run("run-multi", "--all", "--dry-run", cwd=repo.path, env=MINE)
    assert "api would wait for agent ada" in dry.out
    process = conduct(repo, "--all")
    waiting = read_until(process, "plan.waiting", "api")
    why = waiting["reason"]
    assert (why["code"], why["session"]) == ("reserved", "ada")
    assert (why["pattern"], why["detail"]) == ("src/**", "src/new/x.py")
    assert "waits for agent ada (pid " in waiting["text"]
    gates.await_at("gen")
    assert "who has reserved src/**: src/new/x.py is declared here" in run("status", cwd=repo.path).out
    told = run("session", "heartbeat", "--session", "ada", cwd=repo.path)
    assert "plan api of run" in told.out
    assert "waits for src/**, which you have reserved" in told.out
    lock(repo, "release", "--files", "src/**", "--files", "!src/gen/**", "--session", "ada")
    read_until(process, "entry.landed", "api")
    gates.open("gen")
    assert end_of(process).code == 0


def test_a_reservation_of_a_dead_holder_holds_up_nobody_for_long(repo: GitRepo, gates: Gates) -> None:
    commit_plans(repo, {"api": {"files": {"write": ["a"]}, "run": "echo a > a"}})
    at = ("sh", "-c", gates.command("holder"))
    holder = start("lock", "run", "files", "--files", "a", "--", *at, cwd=repo.path)
    gates.await_at("holder")
    process = conduct(repo, "api")
    assert read_until(process, "plan.waiting", "api")["reason"]["holder"].startswith("lock ")
    holder.kill()
    assert end_of(process).code == 0
    assert landings(repo) == ["api"]


def test_files_of_a_plan_whose_run_was_killed_are_free_at_once(repo: GitRepo, gates: Gates) -> None:
    """Who waits proves the death himself: neither a watchdog nor the end of a minute is waited for."""
    commit_plans(repo, {"api": {"files": {"write": ["a"]}, "run": gates.command("api", "echo a > a")}})
    process = conduct(repo, "api")
    gates.await_at("api")
    lock(repo, "acquire", "--files", "a", "--session", "ada", "--no-wait", code=4)
    process.kill()
    end_of(process)
    taken = lock(repo, "acquire", "--files", "a", "--session", "ada", "--no-wait")
    assert taken["leases"][0]["files"] == ["a"]
    gates.open("api")


def test_a_run_does_not_wait_for_who_waits_for_it(repo: GitRepo) -> None:
    """What its own session has reserved, and a ``lock run`` above it, is not in its way."""
    commit_plans(repo, {"api": {"files": {"write": ["a"]}, "run": "echo a > a"}})
    lock(repo, "acquire", "--files", "a", "--session", "mine")
    locked = ("lock", "run", "files", "--files", "b", "--", *COMMAND, "run-multi", "api", "--json")
    commit_plans(repo, {"api": {"files": {"write": ["a", "b"]}, "run": "echo b > b"}})
    done = run(*locked, cwd=repo.path, env=MINE)
    assert done.code == 0, done.out + done.err
    assert not [event for event in done.events if event["event"] == "plan.waiting"]


def test_files_of_a_plan_at_work_cannot_be_reserved_and_its_own_command_may(
    repo: GitRepo, gates: Gates
) -> None:
    own = f"{PLANCTL} lock acquire --files a --no-wait && cd / && {PLANCTL} --repo $OLDPWD lock release --all"
    commit_plans(
        repo,
        {"api": {"files": {"write": ["a", "hot"]}, "run": f"{own}; {gates.command('api', 'echo a > a')}"}},
        "hot_files: {hot: union}\n",
    )
    process = conduct(repo, "api")
    gates.await_at("api")
    busy = lock(repo, "acquire", "--files", "**", "--session", "ada", "--no-wait", code=4)["error"]
    assert "it is held by plan api of run " in busy["message"]
    assert "at work since" in busy["message"]
    assert "lock break" not in busy["advice"]
    lock(repo, "acquire", "--files", "b", "--files", "hot", "--session", "ada", "--no-wait")
    (row,) = lock(repo, "list")["plans"]
    assert row["plan"] == "api"
    assert "a" in row["files"]
    assert "files of plan api, at work: a" in run("lock", "list", cwd=repo.path).out
    (worktree,) = repo.path.parent.glob("*.worktrees/slot-*")
    there = run("lock", "acquire", "--files", "a", "--no-wait", "--session", "eve", cwd=worktree)
    assert there.code == 0, "who works in the plan's worktree works on the plan"
    run("lock", "release", "--all", "--session", "eve", cwd=worktree)
    waiting = start("lock", "acquire", "--files", "a", "--session", "bob", "--timeout", "60s", cwd=repo.path)
    assert waiting.stderr is not None
    assert "held by plan api of run" in waiting.stderr.readline()
    (row,) = lock(repo, "list")["waiting"]
    assert (row["session"], row["expected_seconds"]) == ("bob", None)
    gates.open("api")
    assert end_of(process).code == 0
    assert end_of(waiting).code == 0


def test_s1_13_a_plan_and_a_session_that_wait_for_each_other_do_not_wait_for_ever(
    repo: GitRepo, gates: Gates
) -> None:
    """The plan's command wants what the session has, which in turn waits for the plan."""
    asks = f"{PLANCTL} lock acquire --files b --timeout 60s --json > ../said; test $? = 4"
    commit_plans(
        repo, {"api": {"files": {"write": ["a"]}, "run": gates.command("api", f"{asks} && echo a > a")}}
    )
    lock(repo, "acquire", "--files", "b", "--session", "ada")
    process = conduct(repo, "api")
    gates.await_at("api")
    waiting = start("lock", "acquire", "--files", "a", "--session", "ada", "--timeout", "60s", cwd=repo.path)
    assert waiting.stderr is not None
    assert "held by plan api" in waiting.stderr.readline()
    gates.open("api")
    assert end_of(process).code == 0
    assert end_of(waiting).code == 0
    assert '"deadlock"' in next(repo.path.parent.glob("*.worktrees/said")).read_text()
