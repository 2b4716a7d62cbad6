"""A command that asks to be run again later is held and goes on by itself, where it was (P17)."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.states import AttemptState, RunState
from tests.support.cli import planctl
from tests.support.gates import assert_all_landed, assert_at_rest, store_of
from tests.support.plans import commit_plans
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo
from tests.support.runs import multi, of, outputs
from tests.support.slices import seldom

CLAUDE = """\
echo "called for $PLANCTL_PLAN" >> "$CALLS"
if mkdir "$CALLS.met" 2>/dev/null; then
  echo "Claude AI usage limit reached|$(( $(date +%s) + 3600 ))"
  exit 1
fi
echo done > "$PLANCTL_PLAN.txt"
"""


def phased(calls: Path, when: str) -> dict[str, Any]:
    """Phase 1 ends well; the plan's own command says ``when`` the first time, half its work done."""
    work = (
        f"echo own $PLANCTL_HOLDS >> {calls}; echo half >> half.txt; "
        f"mkdir {calls}.met 2>/dev/null || exit 0; echo '{when}' > \"$PLANCTL_RETRY_AT\"; exit 75"
    )
    return {
        "files": {"write": ["*.txt"]},
        "phases": [{"name": "1", "run": f"echo one >> {calls}; echo 1 >> one.txt"}],
        "run": work,
    }


@pytest.mark.parametrize("side", ["before", *seldom("after")])
def test_p17_a_held_plan_goes_on_by_itself_and_repeats_no_phase_killed_or_not(
    repo: GitRepo, tmp_path: Path, side: str
) -> None:
    """Killed at the third launch: after phase 1 and the plan's own command, that again."""
    calls = tmp_path / "calls"
    commit_plans(repo, {"a": phased(calls, "in 1s")})
    kill = {"PLANCTL_KILL_AT": f"running.launch:{side}:3"}
    done = multi(repo, "a", env=kill, code=-signal.SIGKILL)
    (deferred,) = of(done, "plan.deferred", "a")
    assert (deferred["reason"]["code"], deferred["reason"]["seconds_left"]) == ("rate-limit", 1)
    assert "its command said: in 1s" in deferred["text"]
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert calls.read_text() == "one\nown 0\nown 1\n"
    assert_all_landed(repo, ["a"])
    assert repo.show("main", "one.txt") == "1\n"
    assert repo.show("main", "half.txt") == "half\nhalf\n"  # the worktree is as it was left
    assert_at_rest(repo, RunState.FINISHED)


def held_and_killed(repo: GitRepo, folder: Path) -> Path:
    """Its plan waits for an hour, and nobody conducts it any more: the file that counts its calls."""
    calls = folder / "calls"
    commit_plans(repo, {"a": phased(calls, "in 1h")})
    first = start("run-multi", "a", "--json", cwd=repo.path)
    read_until(first, "plan.deferred")
    first.kill()
    end_of(first)
    return calls


def test_p17_killed_while_it_holds_it_keeps_to_the_time_until_a_person_ends_the_hold(
    repo: GitRepo, tmp_path: Path
) -> None:
    calls = held_and_killed(repo, tmp_path)
    (plan,) = planctl("status", "--json", repo=repo.path).data["plans"]
    assert plan["state"] == "deferred"
    assert 3400 < plan["reason"]["seconds_left"] <= 3600
    assert "is deferred in it" in planctl("worktree", "remove", "slot-01", repo=repo.path).stderr

    again = start("resume", "--json", cwd=repo.path)
    read_until(again, "run.resumed")
    with store_of(repo) as store:
        (attempt,) = store.attempts(plan="a")
    assert attempt.state is AttemptState.DEFERRED
    released = planctl("retry", "a", "--json", repo=repo.path)
    assert (released.code, released.data) == (0, {"released": ["a"]}), released
    done = end_of(again)
    assert done.code == 0, done.err
    assert calls.read_text() == "one\nown 0\nown 1\n"
    assert_all_landed(repo, ["a"])


def test_p17_a_line_of_the_agent_holds_all_plans_of_that_agent(repo: GitRepo, tmp_path: Path) -> None:
    """And a run that nobody conducts any more is gone on with by the retry itself."""
    repo.write("fake.sh", CLAUDE)
    plans = {name: {"files": {"write": [f"{name}.txt"]}, "run": {"agent": "claude"}} for name in "ab"}
    commit_plans(repo, plans, "agents: {claude: sh fake.sh}\n")
    env = {"CALLS": str(tmp_path / "calls")}
    first = start("run-multi", "a", "b", "-j1", "--json", cwd=repo.path, env=env)
    along = read_until(first, "plan.waiting", "b")
    while along["reason"]["code"] != "rate-limit":
        along = read_until(first, "plan.waiting", "b")
    assert (along["reason"]["plan"], along["reason"]["profile"]) == ("a", "claude")
    assert "waits along with a until " in along["text"]
    assert "claude said: Claude AI usage limit reached|" in planctl("status", repo=repo.path).stdout
    assert "b waits along with a: `planctl retry a`" in planctl("retry", "b", repo=repo.path).stderr
    first.terminate()
    assert end_of(first).code == 143
    done = run("retry", "a", cwd=repo.path, env=env)
    assert done.code == 0, done.out + done.err
    assert Path(env["CALLS"]).read_text() == "called for a\ncalled for a\ncalled for b\n"
    assert_all_landed(repo, ["a", "b"])


def test_p17_holds_have_an_end_and_a_stopped_hold_keeps_what_was_begun(repo: GitRepo) -> None:
    always = {"files": {"write": ["x"]}, "run": "echo half > x; echo too busy; exit 75"}
    stopped = {"files": {"write": ["y"]}, "run": 'echo half > y; echo 1h > "$PLANCTL_RETRY_AT"; exit 75'}
    settings = "rate_limits: {holds: 1, first: 1s}\n"
    commit_plans(repo, {"a": always, "b": stopped}, settings)
    process = start("run-multi", "a", "b", "--keep-going", "--json", cwd=repo.path)
    read_until(process, "plan.deferred", "b")
    assert planctl("stop", "b", repo=repo.path).code == 0
    assert end_of(process).code == 1
    assert (outputs(repo, "a") / "log").read_text() == "too busy\ntoo busy\n"
    with store_of(repo) as store:
        newest = {a.plan: a for a in store.latest_attempts()}
    reasons = {name: (a.state, a.reason["code"], "rescue" in a.reason) for name, a in newest.items()}
    assert reasons == {
        "a": (AttemptState.FAILED, "rate-limit-lasts", True),
        "b": (AttemptState.CANCELLED, "stopped", True),
    }
    assert newest["a"].reason["detail"] == "too busy; held 1 times already (rate_limits: holds)"


@pytest.mark.stress
def test_p17_begun_anew_the_held_plan_of_a_dead_run_gives_way_and_its_work_is_kept(
    repo: GitRepo, tmp_path: Path
) -> None:
    calls = held_and_killed(repo, tmp_path)
    multi(repo, "a")
    with store_of(repo) as store:
        old, new = store.attempts(plan="a")
    assert (old.state, old.reason["code"]) == (AttemptState.CANCELLED, "superseded")
    assert new.state is AttemptState.LANDED
    assert calls.read_text() == "one\nown 0\none\nown 0\n"
    (kept,) = planctl("rescue", "list", "a", "--json", repo=repo.path).data["rescues"]
    assert "half.txt" in str(planctl("rescue", "show", kept["reference"], repo=repo.path))
