"""Whole runs, as a user starts them: real processes, real git, read back with git alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of plans are POSIX shell here")
CHECK = "check: '! grep -rq BROKEN src'\nrequire_check: true\n"


def writes(*patterns: str) -> dict[str, object]:
    return {"files": {"write": list(patterns)}}


def test_s2_7_an_overlap_holds_up_one_plan_and_not_the_wave(repo: GitRepo) -> None:
    """``second`` waits for ``first``; ``beside`` does not: it is done while ``first`` is still at work."""
    gate = repo.path.parent / "gate"
    os.mkfifo(gate)
    commit_plans(
        repo,
        {
            "first": {**writes("src/a.py"), "priority": "high", "run": f"cat {gate} > src/a.py"},
            "second": {**writes("src/a.py"), "run": "echo second >> src/a.py"},
            "beside": {**writes("src/b.py"), "run": f"echo beside > src/b.py; echo first > {gate}"},
        },
    )
    done = run("run-multi", "--all", "-j", "3", "--json", cwd=repo.path)
    assert done.code == 0, done.out
    assert repo.show("main", "src/a.py") == "first\nsecond\n"
    waits = [e for e in done.events if e["event"] == "plan.waiting" and e["reason"]["code"] == "overlap"]
    assert {(e["plan"], e["reason"]["plan"], e["reason"]["detail"]) for e in waits} == {
        ("second", "first", "src/a.py")
    }


def test_s2_9_phases_branches_priorities_and_all_of_it_merged(repo: GitRepo) -> None:
    """``user`` starts on phase 1 of ``model``, stacked, while phase 2 waits for it; both land."""
    gate = repo.path.parent / "gate"
    os.mkfifo(gate)
    commit_plans(
        repo,
        {
            "model": {
                "branch": "feature/model",
                "phases": [
                    {"name": "1", "run": "echo model = 1 > src/model.py"},
                    {"name": "2", "run": f"cat {gate} >> src/model.py"},
                ],
            },
            "user": {
                "priority": "critical",
                "dependencies": ["model.phase1"],
                "run": f"cat src/model.py > src/user.py; echo more = 2 > {gate}",
            },
        },
    )
    done = run("run-multi", "--all", "-j", "2", "--json", cwd=repo.path)
    assert done.code == 0, done.out
    assert landings(repo) == ["model", "user"], "stacked work lands after what it stands on"
    assert repo.show("main", "src/user.py") == "model = 1\n"
    assert repo.show("main", "src/model.py") == "model = 1\nmore = 2\n"
    trailer = repo.git("log", "-1", "--format=%(trailers:key=Plan-Id,valueonly)", "feature/model")
    assert trailer.strip() == "model"


def test_s2_13_a_resource_is_never_used_beyond_its_capacity(repo: GitRepo) -> None:
    """Three plans want one of two; each notes how many are at work. No fourth one is ever counted."""
    room = repo.path.parent / "room"
    room.mkdir()
    note = f"mkdir {room}/$PLANCTL_PLAN; ls {room} | wc -l > $PLANCTL_PLAN.txt; rmdir {room}/$PLANCTL_PLAN"
    plans: dict[str, dict[str, object]] = {f"p{n}": {"resources": {"db": 1}, "run": note} for n in range(5)}
    commit_plans(repo, plans, "resources: {db: 2}\n")
    done = run("run-multi", "--all", "-j", "5", "--json", cwd=repo.path)
    assert done.code == 0, done.out
    assert {int(repo.show("main", f"{plan}.txt")) for plan in plans} <= {1, 2}
    assert any(e["event"] == "plan.waiting" and e["reason"]["code"] == "resource" for e in done.events)


def test_p5_landing_needs_no_checkout_no_remote_and_no_clean_tree(repo: GitRepo, tmp_path: Path) -> None:
    """In a repository on another branch with edits, staged files and untracked ones; and in a bare one."""
    commit_plans(repo, {"one": {"run": "echo one > src/one.py"}}, CHECK)
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))

    repo.git("checkout", "-q", "-b", "elsewhere")
    repo.write("src/a.py", "edited\n")
    repo.write("README.md", "staged\n")
    repo.git("add", "README.md")
    repo.write("src/one.py", "mine, untracked\n")
    before = repo.git("status", "--porcelain=v2", "--branch")
    done = run("run-multi", "one", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert repo.git("status", "--porcelain=v2", "--branch") == before
    assert repo.show("main", "src/one.py") == "one\n"

    done = run("run-multi", "one", cwd=bare)
    assert done.code == 0, done.out + done.err
    assert GitRepo(bare).show("main", "src/one.py") == "one\n"
