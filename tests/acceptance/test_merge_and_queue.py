"""``merge``, ``queue`` and ``revert`` as processes: shapes, exit codes, work of ``run-multi`` handed on."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from orchestrator.states import AttemptState
from tests.support.faces import Gate, contents, reading
from tests.support.gates import Gates
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, run, start
from tests.support.queues import configure, landed_once, require_sound
from tests.support.repo import GitRepo

KEYS = {
    "id", "plan", "branch", "state", "position", "priority", "head", "base", "candidate", "tree",
    "landed_commit", "reason", "attempts",
}  # fmt: skip


def states(done: Done) -> dict[str, str]:
    return {entry["plan"] or entry["branch"]: entry["state"] for entry in done.data["entries"]}


def attempt_of(repo: GitRepo, plan: str) -> AttemptState:
    with reading(repo) as store:
        return store.attempts(plan=plan)[-1].state


# -- merge ---------------------------------------------------------------------------------------------


def test_merge_finished_lands_what_run_multi_left_and_in_its_order(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "lower": {"files": {"write": ["lower"]}, "run": "echo 1 > lower"},
        "upper": {
            "dependencies": [{"plan": "lower", "status": "finished"}],
            "files": {"write": ["upper"]},
            "run": "test -e lower && echo 1 > upper",
            "priority": "critical",
            "check": "test -e lower",
        },
        "bad": {"files": {"write": ["bad"]}, "run": "echo 1 > bad"},
    }
    commit_plans(repo, plans, "check: test ! -e bad\n")
    assert run("run-multi", "--all", "--no-land", "--json", cwd=repo.path).code == 0
    done = run("merge", "--finished", "--json", cwd=repo.path)
    assert done.code == 1
    assert states(done) == {"lower": "landed", "upper": "landed", "bad": "rejected"}
    assert all(entry.keys() >= KEYS for entry in done.data["entries"])
    assert landings(repo) == ["lower", "upper"], "stacked work lands after what it stands on"
    assert [attempt_of(repo, plan) for plan in ("lower", "upper", "bad")] == ["landed", "landed", "rejected"]
    assert run("merge", "--finished", "--json", cwd=repo.path).data["entries"] == []
    assert states(run("merge", "lower", "upper", "--json", cwd=repo.path)) == {
        "lower": "landed",
        "upper": "landed",
    }
    assert repo.git("status", "--porcelain") == ""
    require_sound(repo)


def test_merge_of_a_rejected_plan_after_it_was_mended_on_its_branch(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {"a": {"files": {"write": ["a", "bad"]}, "run": "echo 1 > a; echo 1 > bad"}},
        "check: test ! -e bad\n",
    )
    assert run("run-multi", "a", cwd=repo.path).code == 1
    assert attempt_of(repo, "a") is AttemptState.REJECTED
    with reading(repo) as store:
        slot = GitRepo(Path(str(store.attempts(plan="a")[-1].worktree)))
    slot.git("rm", "-q", "bad")
    done = run("merge", "a", cwd=repo.path)
    assert done.code == 2, "the mending is not committed yet"
    assert "uncommitted work" in done.err
    slot.commit("mended")
    done = run("merge", "plans/a.md", "--json", cwd=repo.path)
    assert (done.code, states(done)) == (0, {"a": "landed"})
    assert attempt_of(repo, "a") is AttemptState.LANDED
    assert repo.git("ls-tree", "main", "bad") == ""


def test_retry_takes_the_mended_head_too(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {"a": {"files": {"write": ["a", "bad"]}, "run": "echo 1 > a; echo 1 > bad"}},
        "check: test ! -e bad\n",
    )
    assert run("run-multi", "a", cwd=repo.path).code == 1
    with reading(repo) as store:
        slot = GitRepo(Path(str(store.attempts(plan="a")[-1].worktree)))
    slot.git("rm", "-q", "bad")
    slot.commit("mended")
    assert run("retry", "a", cwd=repo.path).code == 0
    assert landings(repo) == ["a"]


def test_merge_waits_for_the_queue_of_another_process_and_both_land(repo: GitRepo, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    commit_plans(
        repo,
        {"a": {"files": {"write": ["a"]}, "run": "echo 1 > a"}},
        f"check: {json.dumps(f'test ! -e a -o -e b || {{ {gate.command}; }}')}\n",
    )
    repo.branch("b", {"b": "1\n"})
    running = start("run-multi", "a", "--json", cwd=repo.path)
    gate.wait()
    merging = start("merge", "b", "--json", cwd=repo.path)
    gate.open()
    for process in (running, merging):
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, (out, err)
    assert repo.git("ls-tree", "--name-only", "main", "a", "b").split() == ["a", "b"]
    require_sound(repo)


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("one", "nothing"), ("main",)])
def test_merge_of_what_is_no_work_is_exit_2_and_starts_nothing(
    repo: GitRepo, arguments: tuple[str, ...]
) -> None:
    repo.branch("one", {"one": "1\n"})
    done = run("merge", *arguments, cwd=repo.path)
    assert done.code == 2, done
    assert repo.git("ls-tree", "main", "one") == ""


def test_merge_says_what_became_of_each_for_people(repo: GitRepo) -> None:
    configure(repo, check=repr("test ! -e red || { echo broken here; exit 3; }"))
    for name, files in {"good": {"good": "1\n"}, "red": {"red": "1\n"}, "clash": {"src/a.py": "1\n"}}.items():
        repo.branch(name, files)
    repo.commit("other", {"src/a.py": "other\n"})
    done = run("merge", "good", "red", "clash", cwd=repo.path)
    assert done.code == 1
    assert "good landed" in done.out
    assert "red rejected: the target's check failed with exit 3; without the work it passes" in done.out
    assert "| broken here" in done.out
    assert "clash conflicted: conflicts in src/a.py" in done.out
    assert "hint: resolve it by a commit on clash" in done.out
    assert "1 of 3 landed" in done.err


def test_merge_with_a_check_of_its_own_and_with_a_changed_policy(repo: GitRepo) -> None:
    repo.branch("one", {"one": "1\n"})
    assert run("merge", "one", "--check", "test -e nothing", cwd=repo.path).code == 1
    assert "target-red" in run("queue", "explain", "one", cwd=repo.path).out
    run("queue", "resume", cwd=repo.path)
    repo.branch("policy", {"planctl.yaml": "check: test -e README.md\n"})
    assert run("merge", "policy", cwd=repo.path).code == 1
    assert "--allow-policy-change" in run("queue", "explain", "policy", cwd=repo.path).out
    assert run("merge", "policy", "--allow-policy-change", cwd=repo.path).code == 0
    assert run("merge", "one", cwd=repo.path).code == 0


def test_a_target_that_turned_red_is_to_be_mended_before_anybody_lets_the_queue_go_on(repo: GitRepo) -> None:
    configure(repo, check=repr("test ! -e bad"))
    repo.branch("one", {"one": "1\n"})
    repo.branch("two", {"two": "2\n"})
    assert run("merge", "one", cwd=repo.path).code == 0
    repo.commit("by hand", {"bad": "1\n"})
    assert "hint: mend the target, and the queue goes on" in run("merge", "two", cwd=repo.path).out
    repo.git("revert", "--no-edit", "HEAD")
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    assert "two landed as" in run("queue", "explain", "two", cwd=repo.path).out


# -- queue ---------------------------------------------------------------------------------------------


def test_queue_list_add_drop_explain_and_log(repo: GitRepo) -> None:
    repo.branch("one", {"one": "1\n"})
    repo.branch("two", {"two": "2\n"})
    assert run("queue", "list", "--json", cwd=repo.path).data["entries"] == []
    added = run("queue", "add", "one", "two", "--priority", "60", "--json", cwd=repo.path).data["entries"]
    assert [(e["branch"], e["state"], e["position"], e["priority"]) for e in added] == [
        ("one", "queued", 1, 60.0),
        ("two", "queued", 2, 60.0),
    ]
    key = added[0]["id"]
    assert run("queue", "pause", "--why", "release day", "--json", cwd=repo.path).data == {
        "paused": "release day"
    }
    listed = run("queue", "list", "--json", cwd=repo.path).data
    assert (listed["paused"], listed["worker"], listed["target"]) == ("release day", None, "main")
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    explained = run("queue", "explain", key[:10], "--json", cwd=repo.path).data
    assert explained["entry"]["reason"] == {"code": "paused", "detail": "release day"}
    assert explained["cure"] == "`planctl queue resume` lets it go on"
    dropped = run("queue", "drop", "two", "--json", cwd=repo.path).data
    assert (dropped["branch"], dropped["state"]) == ("two", "dropped")
    assert run("queue", "drop", "two", cwd=repo.path).code == 2
    assert run("queue", "drop", "nobody", cwd=repo.path).code == 2
    assert run("queue", "resume", "--json", cwd=repo.path).data == {"paused": None, "frozen": None}
    served = run("queue", "run", "--once", "--json", cwd=repo.path)
    assert [e["event"] for e in served.events if e["event"] == "entry.landed"] == ["entry.landed"]
    assert run("queue", "list", cwd=repo.path).err == "the queue is empty\n"
    every = run("queue", "list", "--all", "--json", cwd=repo.path).data["entries"]
    assert {e["branch"]: e["state"] for e in every} == {"one": "landed", "two": "dropped"}
    story = [e["event"] for e in run("queue", "log", "one", "--json", cwd=repo.path).events]
    assert story[0] == "entry.queued"
    assert story[-1] == "entry.landed"
    assert "entry.dropped" not in story
    assert "one landed as" in run("queue", "log", cwd=repo.path).out


def test_commands_that_only_read_change_no_byte(repo: GitRepo) -> None:
    repo.branch("one", {"one": "1\n"})
    assert run("merge", "one", cwd=repo.path).code == 0
    before = contents(repo.path)
    for command in (("list",), ("list", "--all"), ("explain", "one"), ("log",)):
        assert run("queue", *command, cwd=repo.path).code == 0
    assert contents(repo.path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_s0_5_queue_run_serves_until_a_signal_and_gives_its_lease_back(
    repo: GitRepo, tmp_path: Path, number: signal.Signals
) -> None:
    gate = Gate(tmp_path)
    configure(repo, check=json.dumps(f"test ! -e slow || {{ {gate.command}; }}"))
    serving = start("queue", "run", "--json", cwd=repo.path)
    repo.branch("one", {"one": "1\n"})
    repo.branch("slow", {"slow": "1\n"})
    assert run("queue", "add", "one", "slow", cwd=repo.path).code == 0
    gate.wait()
    serving.send_signal(number)
    out, err = serving.communicate(timeout=60)
    assert serving.returncode == 128 + number, (out, err)
    assert "`planctl queue run` goes on" in err
    with reading(repo) as store:
        assert store.leases() == []
        assert {e.branch: str(e.state) for e in store.entries()} == {"one": "landed", "slow": "queued"}
    landed_once(
        repo, next(json.loads(line)["entry"] for line in out.splitlines() if '"entry.landed"' in line)
    )
    require_sound(repo)


def test_a_worker_that_was_killed_is_not_said_to_work(repo: GitRepo, gates: Gates) -> None:
    configure(repo, check=repr(gates.command("check", "true")))
    repo.branch("one", {"one": "1\n"})
    process = start("merge", "one", cwd=repo.path)
    gates.await_at("check")
    assert run("queue", "list", "--json", cwd=repo.path).data["worker"]["pid"] == process.pid
    assert run("queue", "explain", "one", "--json", cwd=repo.path).data["expected"] is None
    process.kill()
    end_of(process)
    listed = run("queue", "list", "--json", cwd=repo.path).data
    assert (listed["worker"], listed["entries"][0]["branch"]) == (None, "one")
    gates.open("check")
    assert run("merge", "one", cwd=repo.path).code == 0
    repo.branch("two", {"two": "2\n"})
    assert run("queue", "add", "two", cwd=repo.path).code == 0
    expected = run("queue", "explain", "two", "--json", cwd=repo.path).data["expected"]
    assert (expected["checks"], expected["seconds"]) == (1, expected["median"])
    assert "landed in about" in run("queue", "explain", "two", cwd=repo.path).out


def test_queue_log_follows_until_its_reader_goes_away(repo: GitRepo) -> None:
    repo.branch("one", {"one": "1\n"})
    assert run("queue", "add", "one", cwd=repo.path).code == 0
    following = start("queue", "log", "--follow", "--json", cwd=repo.path)
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["event"] == "entry.queued"
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    seen = ""
    while seen != "entry.landed":
        seen = json.loads(following.stdout.readline())["event"]
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=30)
    assert following.returncode == 130


# -- revert --------------------------------------------------------------------------------------------


def test_p26_revert_plan_and_run_it_again(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["a"]}, "run": "echo 1 >> a"}}, "check: test -e README.md\n")
    assert run("run-multi", "a", cwd=repo.path).code == 0
    done = run("revert", "a", "--json", cwd=repo.path)
    assert (done.code, states(done)) == (0, {"revert/a": "landed"})
    assert repo.git("ls-tree", "main", "a") == ""
    assert not (repo.path / "a").exists()
    assert run("revert", "a", cwd=repo.path).code == 2
    assert run("revert", "nobody", cwd=repo.path).code == 2
    assert run("run-multi", "a", "--again", cwd=repo.path).code == 0
    assert repo.show("main", "a") == "1\n"
    assert run("revert", "a", cwd=repo.path).code == 0
    assert repo.git("ls-tree", "main", "a") == ""
    require_sound(repo)


def test_p26_a_revert_that_later_work_stands_in_the_way_of(repo: GitRepo) -> None:
    repo.branch("one", {"src/a.py": "one\n"})
    assert run("merge", "one", cwd=repo.path).code == 0
    repo.commit("by hand", {"src/a.py": "two\n"})
    done = run("revert", "one", "--json", cwd=repo.path)
    assert (done.code, done.data["error"]["code"]) == (1, "revert-conflict")
    assert "src/a.py" in done.data["error"]["message"]
