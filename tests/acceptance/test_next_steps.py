"""Whoever is refused, or left with work that did not land, is told what happened and what to do next."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.test_odd_repositories import bound_by_permissions
from tests.support.plans import commit_plans, landings
from tests.support.process import COMMAND, run
from tests.support.repo import GitRepo


def queue_of(repo: GitRepo) -> list[tuple[str, str]]:
    status = run("status", "--json", cwd=repo.path).data["queue"]
    listed = run("queue", "list", "--json", cwd=repo.path).data["entries"]
    assert status == listed
    return [(entry["branch"], entry["state"]) for entry in listed]


def test_work_that_was_mended_and_landed_waits_for_nobody_any_more(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["bad"]}, "run": "echo a > bad"}}, "check: test ! -e bad\n")
    done = run("run-multi", "a", cwd=repo.path)
    assert done.code == 1, done.out + done.err
    assert "a check is red after" in done.out
    assert "a the target's own check is green after" in done.out, done.out
    assert queue_of(repo) == [("plan/a", "rejected")]
    assert "queue run" not in run("queue", "list", cwd=repo.path).err, "a worker has nothing to do here"
    tree = repo.path.parent / "repo.worktrees" / "plans" / "a"
    repo.git("-C", str(tree), "rm", "-q", "bad")
    (tree / "good").write_text("a\n", encoding="utf-8")
    repo.git("-C", str(tree), "add", "good")
    repo.git("-C", str(tree), "commit", "-qm", "mended")
    assert run("retry", "a", cwd=repo.path).code == 0
    assert landings(repo) == ["a"]
    assert queue_of(repo) == []
    every = run("queue", "list", "--all", "--json", cwd=repo.path).data["entries"]
    assert sorted(entry["state"] for entry in every) == ["landed", "rejected"]


def test_s1_10_a_blocked_and_a_held_plan_end_with_the_next_step(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {
            "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
            "b": {"files": {"write": ["planctl.yaml"]}, "run": "echo 'check: \"true\"' > planctl.yaml"},
        },
        "check: test ! -e bad\n",
    )
    repo.write("one", "mine, in the way\n")
    done = run("run-multi", "a", "b", cwd=repo.path)
    assert done.code == 1, done.out + done.err
    after = done.out[done.out.index("\n\n") :].splitlines()
    a, b = (next(n for n, line in enumerate(after) if line.startswith(f"  {plan} ")) for plan in "ab")
    assert after[a].startswith("  a blocked: ")
    assert "hint: " in after[a + 1]
    assert "`planctl sync`" in after[a + 1]
    assert after[b].startswith("  b held: ")
    assert "`planctl merge b --allow-policy-change`" in after[b + 1]
    assert "2 skipped" in after


def test_a_branch_to_adopt_that_is_checked_out_elsewhere_is_refused_before_anything_starts(
    repo: GitRepo,
) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}})
    mine = repo.branch("plan/a", {"two": "mine\n"})
    elsewhere = repo.path.parent / "elsewhere"
    repo.git("worktree", "add", "-q", str(elsewhere), "plan/a")
    for command in (("run", "a", "--adopt"), ("worktree", "add", "a", "--adopt")):
        done = run(*command, cwd=repo.path)
        assert done.code == 2, done.out + done.err
        assert f"branch plan/a is checked out at {elsewhere}" in done.err
        assert "hint: " in done.err
    assert "retry" not in done.err
    assert repo.git("for-each-ref", "refs/planctl/runs") == ""
    assert not (repo.path.parent / "repo.worktrees").exists()
    repo.git("-C", str(elsewhere), "switch", "-q", "--detach")
    assert run("run", "a", "--adopt", cwd=repo.path).code == 0
    repo.git("merge-base", "--is-ancestor", mine, "main")


def test_an_own_branch_that_a_person_has_checked_out_is_refused_before_anything_starts(
    repo: GitRepo,
) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "exit 1"}})
    assert run("run", "a", cwd=repo.path).code == 1
    tree = repo.path.parent / "repo.worktrees" / "plans" / "a"
    repo.git("-C", str(tree), "switch", "-q", "--detach")
    repo.git("worktree", "add", "-q", str(repo.path.parent / "elsewhere"), "plan/a")
    done = run("run", "a", cwd=repo.path)
    assert (done.code, "is checked out at" in done.err) == (2, True), done.out + done.err


def test_lint_without_a_worktree_says_where_to_go(repo: GitRepo) -> None:
    bare = repo.path.parent / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    done = run("lint", cwd=bare)
    assert done.code == 2
    fact, hint = done.err.splitlines()
    assert "plans are read from a worktree" in fact
    assert hint.startswith("  hint: "), hint
    assert "git worktree add" in hint


@pytest.mark.skipif(os.name == "nt", reason="permissions of folders are POSIX")
def test_doctor_names_a_repository_that_cannot_be_written_to(repo: GitRepo) -> None:
    prefix = bound_by_permissions()
    folders = [repo.path, *(p for p in repo.path.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = subprocess.run(
            [*prefix, *COMMAND, "doctor", "--json"],
            cwd=repo.path,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["healthy"] is False
    (issue,) = found["issues"]
    assert (issue["code"], issue["severity"], issue["fixable"]) == ("repository-read-only", "error", False)
    assert Path(issue["subject"]) == repo.path / ".git"
    assert "cannot be written to" in issue["detail"]
