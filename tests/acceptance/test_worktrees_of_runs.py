"""What becomes of branches and worktrees in runs: reuse, rescue, refusals; a full pool; odd commands."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo
from tests.support.runs import ending, multi, of
from tests.support.slices import seldom


def rescues(repo: GitRepo, plan: str) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)", f"refs/planctl/rescue/{plan}/").split()


def failing(repo: GitRepo, command: str, settings: str = "", code: str = "") -> dict[str, Any]:
    """Run plan ``a`` with that command; it must fail; return the reason."""
    commit_plans(repo, {"a": {"files": {"write": ["**"]}, "run": command}}, settings)
    before = repo.head("main")
    done = multi(repo, "a", code=1)
    assert repo.head("main") == before
    reason: dict[str, Any] = of(done, "plan.failed", "a")[0]["reason"]
    assert reason["code"] == code, reason
    return reason


def test_a_slot_is_free_after_the_landing_and_used_again_warm(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "echo a > one; mkdir -p cache; echo warm > cache/x"},
        "b": {"dependencies": ["a"], "files": {"write": ["two"]}, "run": "cat cache/x > two"},
    }
    commit_plans(repo, plans)
    (repo.path / ".gitignore").write_text("cache/\n")
    repo.commit("ignore")
    done = multi(repo, "--all", "-j", "1")
    assert of(done, "plan.started", "a")[0]["worktree"] == of(done, "plan.started", "b")[0]["worktree"]
    assert repo.show("main", "two") == "warm\n"


def test_p9_a_failed_plan_keeps_its_worktree_until_it_runs_again_rescued_first(repo: GitRepo) -> None:
    command = "echo work > one; test -e ../../allowed"
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo work > one; exit 1"}})
    done = multi(repo, "a", code=1)
    folder = Path(of(done, "plan.started", "a")[0]["worktree"])
    reason = of(done, "plan.failed", "a")[0]["reason"]
    assert (folder / "one").read_text() == "work\n"
    assert [reason["rescue"]] == rescues(repo, "a")
    (folder / "one").write_text("by hand\n")
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": command.replace("test", ": ")}})
    assert ending(multi(repo, "a")) == {"landed": ["a"]}
    assert repo.show("main", "one") == "work\n"
    contents = {repo.git("show", f"{name}:one") for name in rescues(repo, "a")}
    assert contents == {"work", "by hand"}


def test_p27_a_full_pool_takes_back_the_slots_of_plans_that_have_ended(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {
            "bad": {"files": {"write": ["x"]}, "run": "echo precious > x; exit 1"},
            "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
            "b": {"files": {"write": ["two"]}, "run": "echo b > two"},
        },
        "pool: {max: 1}\n",
    )
    multi(repo, "bad", code=1)
    done = multi(repo, "a", "b", "-j", "2")
    assert ending(done) == {"landed": ["a", "b"]}
    assert {e["reason"]["code"] for e in done.events if e["event"] == "plan.waiting"} <= {"pool"}
    assert "precious" in {repo.git("show", f"{name}:x") for name in rescues(repo, "bad")}


def test_a_pool_full_of_work_that_waits_for_a_person_is_said(repo: GitRepo) -> None:
    plans = {p: {"files": {"write": [p]}, "run": f"echo {p} > {p}"} for p in ("a", "b")}
    commit_plans(repo, plans, "pool: {max: 1}\n")  # type: ignore[arg-type]
    done = multi(repo, "a", "b", "--no-land", code=1)
    assert ending(done) == {"finished": ["a"], "skipped": ["b"]}
    assert of(done, "plan.skipped", "b")[0]["reason"] == {"code": "pool"}


def test_a_plan_that_deletes_its_own_worktree_fails_and_its_slot_is_made_anew(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": 'cd ..; rm -rf "$PLANCTL_WORKTREE"'}})
    done = multi(repo, "a", code=1)
    assert ending(done) == {"failed": ["a"]}
    reason = of(done, "plan.failed", "a")[0]["reason"]
    assert reason == {"code": "worktree-deleted", "detail": "its worktree was deleted"}
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}})
    again = multi(repo, "a")
    assert of(again, "plan.started", "a")[0]["worktree"] == of(done, "plan.started", "a")[0]["worktree"]


def test_a_nested_repository_is_never_lost_and_the_plan_can_run_again_elsewhere(repo: GitRepo) -> None:
    command = "git init -q inner; echo x > inner/x; git -C inner add x; git -C inner commit -qm x"
    failing(repo, command, code="nested")
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}})
    done = multi(repo, "a")
    assert ending(done) == {"landed": ["a"]}
    first = repo.path.parent / "repo.worktrees" / "slot-01"
    assert (first / "inner" / "x").read_text() == "x\n"
    assert of(done, "plan.started", "a")[0]["worktree"] != str(first), "a quarantined slot is not used again"


@pytest.mark.parametrize("change", [{".gitignore": "nothing\n"}, *seldom({"results/night": "tracked\n"})])
def test_p9_what_an_old_base_ignored_is_kept_when_the_slot_moves_to_one_that_does_not(
    repo: GitRepo, change: dict[str, str | bytes]
) -> None:
    command = "mkdir results; printf 'one\\r\\nnight\\0' > results/night; echo a > one"
    repo.commit("ignore", {".gitignore": "results/\n"})
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": command},
        "b": {"files": {"write": ["two"]}, "run": "cat results/night > two || echo gone > two"},
    }
    commit_plans(repo, plans)
    multi(repo, "a")
    for name, text in change.items():
        repo.write(name, text)
        repo.git("add", "-f", name)
    repo.commit("results count from now on")
    multi(repo, "b")
    assert repo.show("main", "two") in ("gone\n", "tracked\n"), "no leftover of another plan is there"
    (repo.path.parent / "night").write_bytes(b"one\r\nnight\0")
    night = repo.git("hash-object", "--no-filters", str(repo.path.parent / "night"))
    kept = rescues(repo, "slot-01")
    assert [repo.git("rev-parse", "--verify", f"{name}:results/night") for name in kept] == [night]


def spoil_by_commit(repo: GitRepo, folder: Path) -> None:
    (folder / "mine").write_text("mine\n")
    repo.git("add", "mine", at=folder)
    repo.git("commit", "-qm", "by a person", at=folder)


def spoil_by_repository(repo: GitRepo, folder: Path) -> None:
    repo.git("init", "-q", str(folder / "inner"))
    (folder / "inner" / "mine").write_text("mine\n")


@pytest.mark.parametrize("spoil", [spoil_by_commit, spoil_by_repository])
@pytest.mark.parametrize("most", [1, *seldom(2)])
def test_p9_a_free_slot_that_cannot_be_used_again_is_set_aside_and_another_one_taken(
    repo: GitRepo, spoil: Callable[[GitRepo, Path], None], most: int
) -> None:
    plans: dict[str, dict[str, object]] = {
        p: {"files": {"write": [p]}, "run": f"echo {p} > {p}"} for p in "ab"
    }
    commit_plans(repo, plans, f"pool: {{max: {most}}}\n")
    first = Path(of(multi(repo, "a"), "plan.started", "a")[0]["worktree"])
    spoil(repo, first)
    done = multi(repo, "b", code=0 if most > 1 else 1)
    assert ending(done) == ({"landed": ["b"]} if most > 1 else {"skipped": ["b"]})
    if most > 1:
        assert of(done, "plan.started", "b")[0]["worktree"] == str(first.with_name("slot-02"))
    else:
        assert of(done, "plan.skipped", "b")[0]["reason"] == {"code": "pool"}
    rows = run("worktree", "list", "--json", cwd=repo.path).data["worktrees"]
    assert next((r["slot"], r["state"], r["plan"]) for r in rows) == ("slot-01", "quarantined", None)
    assert [p.read_text() for p in sorted(first.rglob("mine"))] == ["mine\n"]


def test_a_moved_head_is_refused_and_both_commits_are_kept(repo: GitRepo) -> None:
    reason = failing(
        repo, "git checkout -q --detach; echo x > x; git add x; git commit -qm x", code="head-moved"
    )
    assert len(reason["kept"]) == 2


def test_a_moved_head_is_noticed_without_leftovers_too(repo: GitRepo) -> None:
    failing(repo, "git checkout -qb elsewhere", "leftovers: false\n", "head-moved")


def test_conflict_markers_are_refused(repo: GitRepo) -> None:
    marks = "printf '<<<<<<< ours\\na\\n=======\\nb\\n>>>>>>> theirs\\n' > src/a.py"
    assert failing(repo, marks, code="conflict-markers")["paths"] == ["src/a.py"]


def test_leftovers_can_be_switched_off(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {
            "a": {
                "files": {"write": ["one", "two"]},
                "run": "echo a > one; git add one; git commit -qm a; echo b > two",
            }
        },
        "leftovers: false\n",
    )
    multi(repo, "a")
    assert repo.git("ls-tree", "--name-only", "main", "one", "two") == "one"
    assert {repo.git("show", f"{name}:two") for name in rescues(repo, "a")} == {"b"}


@pytest.mark.parametrize(("hooks", "runs"), [("skip", False), ("run", True)])
def test_hooks_run_over_leftovers_only_when_asked_for(repo: GitRepo, hooks: str, runs: bool) -> None:
    hook = repo.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho ran >> {repo.path.parent}/hook\n")
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}}, f"hooks: {hooks}\n")
    hook.chmod(0o755)
    multi(repo, "a")
    assert (repo.path.parent / "hook").exists() is runs


def test_somebody_elses_branch_is_refused_before_anything_starts_and_adopted_when_asked(
    repo: GitRepo,
) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one", "two"]}, "run": "cp two one"}})
    mine = repo.branch("plan/a", {"two": "mine\n"})
    for more in ((), ("--dry-run",)):
        done = run("run-multi", "a", "--json", *more, cwd=repo.path)
        assert done.code == 2
        assert done.data["error"]["code"] == "branch-exists"
    assert repo.head("plan/a") == mine
    assert not (repo.path.parent / "repo.worktrees").exists()
    assert repo.git("for-each-ref", "refs/planctl/runs") == ""
    multi(repo, "a", "--adopt")
    assert repo.show("main", "one") == "mine\n"
    repo.git("merge-base", "--is-ancestor", mine, "main")


def test_a_retry_of_adopted_work_starts_from_it_again(repo: GitRepo) -> None:
    flaky = 'cp two one; mkdir "$PLANCTL_OUTPUT_DIR/once" && exit 1; true'
    commit_plans(repo, {"a": {"files": {"write": ["one", "two"]}, "run": flaky, "retries": 1}})
    repo.branch("plan/a", {"two": "mine\n"})
    multi(repo, "a", "--adopt")
    assert repo.show("main", "one") == "mine\n"


def test_an_own_branch_starts_anew_and_its_old_head_is_parked(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {"a": {"files": {"write": ["one"]}, "run": "echo a > one; git add one; git commit -qm a; exit 1"}},
    )
    multi(repo, "a", code=1)
    old = repo.head("plan/a")
    commit_plans(repo, {"a": {"files": {"write": ["two"]}, "run": "test ! -e one && echo b > two"}})
    multi(repo, "a")
    assert old in repo.git("for-each-ref", "--format=%(objectname)", "refs/planctl/archive/a/")
    assert repo.git("ls-tree", "--name-only", "main", "one") == ""


def test_drift_into_what_another_plan_at_work_declared_is_refused(repo: GitRepo) -> None:
    go = repo.path.parent / "go"
    plans: dict[str, dict[str, object]] = {
        "owner": {"files": {"write": ["mine"]}, "run": f"cat {go}; echo o > mine"},
        "thief": {"files": {"write": ["other"]}, "run": "echo t > mine"},
        "free": {"files": {"write": ["third"]}, "run": "echo f > third; echo f > elsewhere"},
    }
    commit_plans(repo, plans)
    os.mkfifo(go)
    writer = threading.Thread(target=lambda: go.write_text("go"))  # blocks until the owner reads
    ends: list[Any] = []
    runner = threading.Thread(target=lambda: ends.append(run("run-multi", "owner", "--json", cwd=repo.path)))
    runner.start()
    folder = repo.path.parent / "repo.worktrees" / "plans" / "owner"
    while not (folder / ".planctl" / "current-plan").exists() and runner.is_alive():
        runner.join(0.05)
    done = multi(repo, "thief", "free", "--keep-going", code=1)
    assert ending(done) == {"failed": ["thief"], "landed": ["free"]}
    assert of(done, "plan.failed", "thief")[0]["reason"]["code"] == "drift"
    assert of(done, "plan.drift", "free")[0]["paths"] == ["elsewhere"]
    writer.start()
    runner.join(60)
    writer.join(60)
    assert ends[0].code == 0


@pytest.mark.parametrize(("enforce", "code"), [("strict", 1), ("off", 0), ("collisions", 0)])
def test_enforce(repo: GitRepo, enforce: str, code: int) -> None:
    plans: dict[str, dict[str, object]] = {"a": {"files": {"write": ["one"]}, "run": "echo a > two"}}
    commit_plans(repo, plans, f"enforce: {enforce}\n")
    done = multi(repo, "a", code=code)
    assert of(done, "plan.drift", "a")[0]["paths"] == ["two"]


def test_setup_copy_and_link(repo: GitRepo) -> None:
    (repo.path / ".gitignore").write_text(".env\nvendor/\nready\n")
    repo.write(".env", "SECRET=1\n")
    repo.write("vendor/lib", "lib\n")
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "cat .env vendor/lib ready > one; test -L vendor"}
    }
    commit_plans(repo, plans, "setup: echo ready > ready\ncopy: [.env]\nlink: [vendor]\n")
    multi(repo, "a")
    assert repo.show("main", "one") == "SECRET=1\nlib\nready\n"
    assert repo.git("ls-tree", "--name-only", "main", ".env", "vendor", "ready") == ""
    assert (repo.path / "vendor" / "lib").read_text() == "lib\n"


def test_a_set_up_that_fails_is_said(repo: GitRepo) -> None:
    failing(repo, "true", "setup: exit 4\n", "setup-failed")


def test_phases_run_in_order_and_a_stacked_plan_starts_from_the_first(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {
            "files": {"write": ["one", "end"]},
            "phases": [{"name": "1", "run": "echo 1 > one"}, {"name": "2", "run": "echo 2 >> one"}],
            "run": "cp one end",
        },
        "b": {
            "files": {"write": ["two"]},
            "dependencies": [{"plan": "a", "phase": 1}],
            "run": "cp one two",
        },
    }
    commit_plans(repo, plans)
    done = multi(repo, "--all", "-j", "2")
    assert [e["phase"] for e in of(done, "phase.complete", "a")] == ["1", "2"]
    assert repo.show("main", "end") == "1\n2\n"
    assert repo.show("main", "two").startswith("1\n")
    assert landings(repo) == ["a", "b"]


def test_a_stack_that_does_not_merge_is_a_failure_with_its_paths(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
        "m": {
            "dependencies": [{"plan": "a", "status": "finished"}],
            "base": "other",
            "run": "true",
        },
    }
    commit_plans(repo, plans)
    repo.branch("other", {"one": "different\n"})
    done = multi(repo, "--all", "--no-land", code=1)
    reason = of(done, "plan.failed", "m")[0]["reason"]
    assert reason["code"] == "stack-conflict"
    assert "one" in reason["detail"]


def test_p10_eight_plans_start_at_once(repo: GitRepo) -> None:
    plans = {f"p{n}": {"files": {"write": [f"f{n}"]}, "run": f"echo {n} > f{n}"} for n in range(8)}
    commit_plans(repo, plans)  # type: ignore[arg-type]
    done = multi(repo, "--all", "-j", "8", timeout=110)
    assert ending(done) == {"landed": sorted(plans)}
    assert sorted(landings(repo)) == sorted(plans)
    assert repo.git("status", "--porcelain") == ""
