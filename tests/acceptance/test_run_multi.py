"""``run-multi`` as a process, on real repositories: events, exit codes, and what is on disk afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.plans import commit_plans, landings, plan_text
from tests.support.process import run
from tests.support.repo import GitRepo
from tests.support.runs import ending, fingerprint, multi, of, outputs


def test_events_and_exit_code_of_a_run_in_which_all_lands(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}}, "check: test -e one\n")
    done = multi(repo, "a")
    assert ending(done) == {"landed": ["a"]}
    assert all({"ts", "event", "run"} <= e.keys() for e in done.events)
    assert len({e["run"] for e in done.events}) == 1
    names = [e["event"] for e in done.events]
    wanted = ["run.started", "plan.started", "plan.finished", "entry.queued", "entry.landed", "run.finished"]
    assert [n for n in names if n in wanted] == wanted
    assert repo.show("main", "one") == "a\n"


def test_p4_p11_a_waiting_plan_starts_from_what_the_first_one_landed(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "echo a > one", "priority": "high"},
        "b": {"files": {"write": ["one"]}, "run": "test -e one && echo b >> one"},
        "c": {"dependencies": ["b"], "files": {"write": ["two"]}, "run": "cp one two"},
    }
    commit_plans(repo, plans)
    done = multi(repo, "--all")
    assert of(done, "plan.waiting", "b")[0]["reason"] == {"code": "overlap", "plan": "a", "detail": "one"}
    assert landings(repo) == ["a", "b", "c"]
    assert repo.show("main", "two") == "a\nb\n"
    landed = of(done, "plan.landed", "a")[0]["commit"]
    base = of(done, "plan.finished", "b")[0]["base"]
    repo.git("merge-base", "--is-ancestor", landed, base)


def test_p11_a_landing_that_was_undone_is_noticed(repo: GitRepo) -> None:
    start = repo.head()
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
        "undo": {"dependencies": ["a"], "run": f"git update-ref refs/heads/main {start}"},
        "b": {"dependencies": ["a", "undo:x"], "run": "echo b > two", "files": {"write": ["two"]}},
    }
    plans["b"]["dependencies"] = ["a", {"plan": "undo", "status": "finished"}]
    commit_plans(repo, plans)
    done = multi(repo, "--all", "--keep-going", code=1)
    assert of(done, "plan.failed", "b")[0]["reason"]["code"] == "landing-undone"
    outside = multi(repo, "b", "--from", repo.head("plan/a~1"), code=1)
    assert of(outside, "plan.skipped", "b")[0]["reason"]["code"] == "dependency-failed"


def test_s2_2_two_plans_side_by_side_have_their_own_pointer_and_surroundings(repo: GitRepo) -> None:
    script = (
        'mkfifo "$PLANCTL_OUTPUT_DIR/in"; env | grep ^PLANCTL_ | sort > "$PLANCTL_OUTPUT_DIR/env"; '
        'cp .planctl/current-plan "$PLANCTL_OUTPUT_DIR/pointer"; pwd -P > "$PLANCTL_OUTPUT_DIR/pwd"; '
        'readlink /proc/self/fd/0 > "$PLANCTL_OUTPUT_DIR/stdin"; '
        'cat "$PLANCTL_PLAN_FILE" > "$PLANCTL_OUTPUT_DIR/file"'
    )
    plans: dict[str, dict[str, object]] = {
        p: {"files": {"write": [p]}, "run": f"{script}; echo {p} > {p}"} for p in ("a", "b")
    }
    commit_plans(repo, plans)
    done = multi(repo, "a", "b", "-j", "2")
    places, ports = set(), set()
    for plan in ("a", "b"):
        folder = outputs(repo, plan)
        said = dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
        started = of(done, "plan.started", plan)[0]
        assert (folder / "pointer").read_text() == f"{plan}\n"
        assert said["PLANCTL_PLAN"] == plan
        assert said["PLANCTL_RUN"] == started["run"]
        assert said["PLANCTL_WORKTREE"] == started["worktree"] == (folder / "pwd").read_text().strip()
        assert said["PLANCTL_PLAN_FILE"] == f"{said['PLANCTL_WORKTREE']}/plans/{plan}.md"
        assert said["PLANCTL_BASE"] == of(done, "plan.finished", plan)[0]["base"]
        assert said["PLANCTL_OUTPUT_DIR"] == str(folder)
        assert said["PLANCTL_ATTEMPT"].startswith(started["attempt"])
        assert said["PLANCTL_SESSION"]
        assert (folder / "stdin").read_text().strip() == "/dev/null"
        assert (folder / "file").read_bytes() == (repo.path / "plans" / f"{plan}.md").read_bytes()
        places.add(said["PLANCTL_WORKTREE"])
        ports.add(said["PLANCTL_PORT_BASE"])
    assert len(places) == len(ports) == 2
    assert "/.planctl/" in (repo.path / ".git" / "info" / "exclude").read_text()
    assert repo.git("status", "--porcelain") == ""


def test_s2_3_s2_12_outputs_follow_the_store(repo: GitRepo) -> None:
    good = {
        "files": {"write": ["one"]},
        "run": "echo found > $PLANCTL_OUTPUT_DIR/findings/f; echo said; echo a > one",
    }
    commit_plans(repo, {"good": good, "bad": {"run": "exit 7"}})
    multi(repo, "--all", "--keep-going", code=1)
    status = json.loads((outputs(repo, "good") / "status.json").read_text())
    assert (status["state"], status["plan"], status["exit_code"]) == ("landed", "good", 0)
    assert status["landed_commit"] == repo.head("main")
    assert (outputs(repo, "good") / "findings" / "f").read_text() == "found\n"
    assert (outputs(repo, "good") / "log").read_text() == "said\n"
    assert {p.name for p in (outputs(repo, "good") / "timestamps").iterdir()} == {
        "created", "started", "finished", "landed"
    }  # fmt: skip
    failed = json.loads((outputs(repo, "bad") / "status.json").read_text())
    assert (failed["state"], failed["exit_code"]) == ("failed", 7)
    assert failed["reason"]["code"] == "exit-code"
    assert not list(outputs(repo, "good").rglob("*.tmp"))


def test_a_prompt_arrives_as_one_word_whatever_is_in_it(repo: GitRepo) -> None:
    prompt = 'it\'s $(touch pwned) `id`; rm -rf / "x" {plan} \\ && *'
    agent = repo.path.parent / "agent"
    agent.write_text('#!/bin/sh\nprintf "%s\\n" "$#" "$2" "$3" > answer\n')
    agent.chmod(0o755)
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["answer"]}, "run": {"agent": "named", "prompt": prompt}},
        "b": {
            "files": {"write": ["answer"]},
            "dependencies": ["a"],
            "run": {"agent": "last", "prompt": prompt},
        },
    }
    commit_plans(repo, plans, f"agents:\n  named: {agent} -p '{{prompt}}' {{plan}}\n  last: {agent} -p\n")
    multi(repo, "--all")
    assert repo.show("plan/a", "answer") == f"3\n{prompt}\na\n"
    assert repo.show("main", "answer") == f"2\n{prompt}\n\n"
    assert not list(repo.path.parent.rglob("pwned"))


@pytest.mark.parametrize("used_before", [False, True])
def test_dry_run_changes_nothing_byte_for_byte(repo: GitRepo, used_before: bool) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
        "b": {"files": {"write": ["one"]}, "dependencies": ["a"], "run": "echo b > one"},
        "c": {"files": {"write": ["one"], "read": ["two"]}, "run": "echo c > one"},
        "old": {"files": {"write": ["three"]}, "run": "echo old > three"},
    }
    commit_plans(repo, plans)
    if used_before:
        multi(repo, "old")
    repo.write("src/a.py", "edited\n")
    before = fingerprint(repo.path.parent)
    done = run("run-multi", "--dry-run", "--json", "--all", cwd=repo.path)
    assert done.code == 0, done.err
    assert fingerprint(repo.path.parent) == before
    found = done.data
    assert set(found) == {"graph", "overlaps", "schedule"}
    rows = {row["plan"]: row for row in found["schedule"]}
    assert set(rows["a"]) == {"plan", "wave", "after", "worktree", "branch"}
    assert {"plan": "a", "why": "dependency"} in rows["b"]["after"]
    assert rows["a"]["branch"] == "plan/a"
    assert [rows[p]["wave"] for p in ("a", "b", "c")] == [1, 2, 3]
    assert run("run-multi", "--dry-run", "--all", cwd=repo.path).code == 0
    assert fingerprint(repo.path.parent) == before


def test_with_deps_takes_what_is_needed_and_without_it_is_passed_over(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {
            "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
            "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cp one two"},
            "c": {"files": {"write": ["three"]}, "run": "echo c > three"},
        },
    )
    assert ending(multi(repo, "b", code=1)) == {"skipped": ["b"]}
    assert ending(multi(repo, "b", "--with-deps")) == {"landed": ["a", "b"]}


def test_an_unchanged_plan_is_reported_landed_and_a_changed_one_runs_again(repo: GitRepo) -> None:
    plan: dict[str, dict[str, object]] = {"a": {"files": {"write": ["one"]}, "run": "date +%N >> one"}}
    commit_plans(repo, plan)
    multi(repo, "a")
    head = repo.head("main")
    again = multi(repo, "a")
    assert ending(again) == {"landed": ["a"]}
    assert not of(again, "plan.started", "a")
    assert repo.head("main") == head
    assert of(multi(repo, "a", "--again"), "plan.started", "a")
    assert landings(repo) == ["a", "a"]
    plan["a"]["title"] = "changed"
    commit_plans(repo, plan)
    assert of(multi(repo, "a"), "plan.started", "a")
    assert landings(repo) == ["a", "a", "a"]


def test_from_reads_the_plans_of_a_revision(repo: GitRepo) -> None:
    old = commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo old > one"}})
    repo.write("plans/a.md", plan_text("a", files={"write": ["one"]}, run="echo new > one"))
    repo.commit("newer")
    multi(repo, "a", "--from", old)
    assert repo.show("main", "one") == "old\n"
    assert run("run-multi", "a", "--from", "no-such", cwd=repo.path).code == 2


def test_no_land_stops_at_finished_with_the_work_committed_and_pinned(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}})
    before = repo.head("main")
    assert ending(multi(repo, "a", "--no-land")) == {"finished": ["a"]}
    assert repo.head("main") == before
    assert repo.show("plan/a", "one") == "a\n"
    assert repo.head("refs/planctl/phases/a/finished") == repo.head("plan/a")


def test_a_finished_plan_that_is_run_anew_supersedes_the_old_work(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "date +%N > one"}})
    multi(repo, "a", "--no-land")
    old = repo.head("plan/a")
    assert ending(multi(repo, "a")) == {"landed": ["a"]}
    assert landings(repo) == ["a"]
    assert old in repo.git("for-each-ref", "--format=%(objectname)", "refs/planctl/archive/a/")


def test_check_of_the_command_line_is_run(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}})
    done = multi(repo, "a", "--check", "test ! -e one", code=1)
    assert ending(done) == {"failed": ["a"]}
    assert of(done, "entry.rejected", "a")


def test_s2_6_overlap_modes(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["src/a.py"]}, "run": "sed -i s/^a1.=/A1.=/ src/a.py"},
        "b": {"files": {"write": ["src/a.py"]}, "run": "sed -i s/^a20/A20/ src/a.py", "priority": "high"},
    }
    commit_plans(repo, plans)
    before = fingerprint(repo.path / ".git" / "refs")
    done = run("run-multi", "--all", "--overlap", "forbid", "--json", cwd=repo.path)
    assert done.code == 2
    assert done.data["error"]["code"] == "forbidden-overlap"
    assert fingerprint(repo.path / ".git" / "refs") == before
    both = multi(repo, "--all", "--overlap", "isolate", "-j", "2")
    assert landings(repo) == ["b", "a"]
    bases = {of(both, "plan.finished", p)[0]["base"] for p in ("a", "b")}
    assert len(bases) == 1, "both started from the same base"


def test_jobs_one_runs_one_after_another(repo: GitRepo) -> None:
    lock = repo.path.parent / "lock"
    command = f"mkdir {lock} && echo $PLANCTL_PLAN > $PLANCTL_PLAN.txt && rmdir {lock}"
    plans: dict[str, dict[str, object]] = {
        p: {"files": {"write": [f"{p}.txt"]}, "run": command} for p in ("a", "b", "c")
    }
    commit_plans(repo, plans)
    assert ending(multi(repo, "--all", "-j", "1")) == {"landed": ["a", "b", "c"]}


def test_without_keep_going_nothing_new_starts_after_a_failure(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "bad": {"run": "exit 3", "priority": "critical"},
        "later": {"files": {"write": ["one"]}, "run": "echo l > one"},
        "needs": {"dependencies": ["bad"], "run": "true"},
    }
    commit_plans(repo, plans)
    done = multi(repo, "--all", "-j", "1", code=1)
    assert ending(done) == {"failed": ["bad"], "skipped": ["later", "needs"]}
    assert of(done, "plan.skipped", "later")[0]["reason"] == {"code": "stopped", "plan": "bad"}
    on = multi(repo, "--all", "-j", "1", "--keep-going", code=1)
    assert ending(on) == {"failed": ["bad"], "landed": ["later"], "skipped": ["needs"]}


def test_retries_timeouts_and_their_reasons(repo: GitRepo) -> None:
    flaky = 'mkdir "$PLANCTL_OUTPUT_DIR/tried" && exit 9; echo ok > one'
    plans: dict[str, dict[str, object]] = {
        "flaky": {"files": {"write": ["one"]}, "run": flaky, "retries": 1},
        "slow": {"run": "exec tail -f /dev/null", "timeout": "1s"},
    }
    commit_plans(repo, plans)
    done = multi(repo, "--all", "--keep-going", code=1)
    assert ending(done) == {"landed": ["flaky"], "failed": ["slow"]}
    assert of(done, "plan.retry", "flaky")[0]["why"] == "retry"
    assert of(done, "plan.failed", "slow")[0]["reason"]["code"] == "timeout"


def test_a_plan_without_a_command_is_prepared(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}}})
    done = multi(repo, "a", code=1)
    prepared = of(done, "plan.prepared", "a")[0]
    assert ending(done) == {"skipped": ["a"]}
    folder = Path(prepared["worktree"])
    assert (folder / ".planctl" / "current-plan").read_text() == "a\n"
    assert repo.git("symbolic-ref", "--short", "HEAD", at=folder) == "plan/a"


def test_a_prepared_plan_is_refused_before_anything_starts_until_its_worktree_is_gone(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}}, "b": {"run": "echo b > two"}})
    folder = of(multi(repo, "a", code=1), "plan.prepared", "a")[0]["worktree"]
    runs = repo.git("for-each-ref", "refs/planctl/runs")
    for arguments in (("run", "a"), ("run-multi", "b", "a"), ("run-multi", "a", "--dry-run")):
        done = run(*arguments, "--json", cwd=repo.path)
        assert done.code == 2, done.err
        said = f"a is prepared in {folder}; `planctl queue add a` hands it in"
        assert (done.data["error"]["code"], done.data["error"]["message"]) == ("usage", said)
    assert repo.git("for-each-ref", "refs/planctl/runs") == runs
    shutil.rmtree(folder)
    assert of(multi(repo, "a", code=1), "plan.prepared", "a")
