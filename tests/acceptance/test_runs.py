"""Whole runs, as a user starts them: real processes, real git, read back with git alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.plans import commit_plans, landings
from tests.support.process import run, start
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of plans are POSIX shell here")
CHECK = "check: '! grep -rq BROKEN src'\nrequire_check: true\n"


def writes(*patterns: str) -> dict[str, object]:
    return {"files": {"write": list(patterns)}}


def finished(events: list[dict[str, object]]) -> dict[str, object]:
    last = events[-1]
    assert last["event"] == "run.finished"
    return last


def test_p4_p11_a_waiting_plan_starts_from_what_the_first_one_landed(repo: GitRepo) -> None:
    """Through a dependency (P11), and through an overlap alone (P4)."""
    commit_plans(
        repo,
        {
            "core": {**writes("src/core.py"), "priority": "high", "run": "echo core = 1 > src/core.py"},
            "api": {"dependencies": ["core"], "run": "cat src/core.py > api.txt"},
            "more": {**writes("src/*.py"), "run": "echo more = 2 >> src/core.py"},
        },
        CHECK,
    )
    done = run("run-multi", "--all", "-j", "3", "--json", cwd=repo.path)
    assert done.code == 0, done.out
    assert landings(repo)[0] == "core"
    assert repo.show("main", "api.txt").splitlines()[0] == "core = 1"
    assert repo.show("main", "src/core.py") == "core = 1\nmore = 2\n"
    landed = {str(e["plan"]): str(e["landed_commit"]) for e in done.events if e["event"] == "entry.landed"}
    for plan in ("api", "more"):
        base = next(
            str(e["base"]) for e in done.events if e["event"] == "plan.finished" and e["plan"] == plan
        )
        assert repo.git("merge-base", landed["core"], base) == landed["core"], f"{plan} began without core"


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


def test_s1_10_a_partial_failure_is_summed_up_with_the_command_that_retries(repo: GitRepo) -> None:
    commit_plans(
        repo,
        {
            "good": {"run": "echo good > src/good.py"},
            "bad": {"run": "test -e ../mended && echo mended > src/bad.py"},
            "after": {"dependencies": ["bad"], "run": "cat src/bad.py > src/after.py"},
        },
    )
    done = run("run-multi", "--all", "--keep-going", cwd=repo.path)
    assert done.code == 1
    assert "  bad failed: exit 1" in done.out
    assert "  after cancelled: needs bad, which has failed" in done.out
    assert "1 landed, 1 failed, 1 skipped" in done.out
    assert "planctl retry bad" in done.err

    slot = next(line for line in done.out.splitlines() if " bad started in " in line).rpartition(" ")[2]
    (Path(slot).parent / "mended").touch()
    again = run("retry", "bad", "--json", cwd=repo.path)
    assert again.code == 0, again.out
    assert finished(again.events)["landed"] == ["after", "bad", "good"]
    assert repo.show("main", "src/after.py") == "mended\n"


def test_s2_2_two_plans_side_by_side_each_see_their_own_pointer(repo: GitRepo) -> None:
    """Both read their pointer while the other one is at work in its own worktree."""
    one, two = (repo.path.parent / name for name in ("one", "two"))
    os.mkfifo(one)
    os.mkfifo(two)
    look = "cat .planctl/current-plan; echo $PLANCTL_PLAN; git rev-parse --show-toplevel"
    commit_plans(
        repo,
        {
            "left": {"run": f"echo go > {one}; cat {two}; ({look}) > left.txt"},
            "right": {"run": f"cat {one}; echo go > {two}; ({look}) > right.txt"},
        },
    )
    done = run("run-multi", "--all", "-j", "2", cwd=repo.path)
    assert done.code == 0, done.out
    left, right = (repo.show("main", f"{plan}.txt").splitlines() for plan in ("left", "right"))
    assert left[:2] == ["left", "left"]
    assert right[:2] == ["right", "right"]
    assert left[2] != right[2], "a worktree each"
    assert not (repo.path / ".planctl").exists(), "there is no pointer for all"
    assert repo.git("status", "--porcelain") == ""


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


def test_p3_work_outside_the_manifest_is_drift_and_refused_where_it_collides(repo: GitRepo) -> None:
    """``beside`` wrote a file that nobody had declared, ``thief`` one that ``owner`` has declared."""
    gate = repo.path.parent / "gate"
    os.mkfifo(gate)
    commit_plans(
        repo,
        {
            "owner": {**writes("src/a.py"), "run": f"cat {gate} > src/a.py"},
            "thief": {**writes("src/thief.py"), "run": "echo mine > src/a.py"},
            "beside": {**writes("src/beside.py"), "run": "echo more > extra.txt"},
            "last": {
                "dependencies": [{"plan": "beside"}],
                "run": f"echo owner > {gate}; echo last > last.txt",
            },
        },
    )
    done = run("run-multi", "--all", "-j", "4", "--keep-going", "--json", cwd=repo.path)
    assert finished(done.events)["failed"] == ["thief"], done.out
    drift = {e["plan"]: e["paths"] for e in done.events if e["event"] == "plan.drift"}
    assert drift == {"thief": ["src/a.py"], "beside": ["extra.txt"]}
    assert repo.show("main", "src/a.py") == "owner\n"
    assert repo.show("main", "extra.txt") == "more\n"


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


def test_s0_5_an_interrupt_stops_the_children_and_resume_goes_on(repo: GitRepo, tmp_path: Path) -> None:
    """A second signal while it is stopping changes nothing."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    commit_plans(repo, {"slow": {"run": f"cat {gate} > src/slow.py"}})
    process = start("run-multi", "slow", cwd=repo.path)
    assert process.stdout is not None
    while "started in" not in process.stdout.readline():
        pass
    process.terminate()
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, out + err
    assert "planctl resume" in err
    with pytest.raises(OSError, match="No such device"):  # nobody reads the pipe any more
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))

    going_on = start("resume", cwd=repo.path)
    gate.write_text("slow\n", encoding="utf-8")
    out, err = going_on.communicate(timeout=60)
    assert going_on.returncode == 0, out + err
    assert landings(repo) == ["slow"]
    assert repo.show("main", "src/slow.py") == "slow\n"
