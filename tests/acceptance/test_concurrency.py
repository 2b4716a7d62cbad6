"""Several planctl beside each other on one repository: the invariants of the queue hold (Done when 3)."""

from __future__ import annotations

import shutil
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.states import EntryState, RunState
from tests.support.gates import Gates, assert_all_landed, assert_at_rest, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo

CHECK = "test ! -e bad && test ! -e one -o -s one"


def assert_green(repo: GitRepo, folder: Path) -> None:
    """The check passes on every first-parent commit of the target."""
    import subprocess

    for commit in repo.git("rev-list", "--first-parent", "main").split():
        place = folder / commit
        repo.git("worktree", "add", "-q", "--detach", str(place), commit)
        assert subprocess.run(["sh", "-c", CHECK], cwd=place, check=False).returncode == 0, commit
        repo.git("worktree", "remove", "--force", str(place))
        shutil.rmtree(place, ignore_errors=True)


def assert_serialised(repo: GitRepo, *plans: str) -> None:
    """Each of these plans started from a base that holds the landing of the one before."""
    with store_of(repo) as store:
        entries = {e.plan: e for e in store.entries(states={EntryState.LANDED})}
    order = [p for p in landings(repo) if p in plans]
    for before, after in pairwise(order):
        assert (
            repo.git("merge-base", "--is-ancestor", str(entries[before].landed_commit), entries[after].base)
            == ""
        )


def test_two_runs_of_disjoint_plans_and_a_third_process_that_drains(repo: GitRepo, tmp_path: Path) -> None:
    plans: dict[str, dict[str, object]] = {
        name: {"files": {"write": [name]}, "run": f"echo {name} > {name}"} for name in ("a", "b", "c", "d")
    }
    commit_plans(repo, plans, f"check: {CHECK!r}\ncheck_jobs: 3\n")
    worker = start("queue", "run", cwd=repo.path)
    runs = [start("run-multi", *pair, cwd=repo.path) for pair in (("a", "b"), ("c", "d"))]
    for process in runs:
        done = end_of(process)
        assert done.code == 0, (process.args, done.out, done.err)
    worker.terminate()
    ended = end_of(worker)
    assert ended.code == 143, ended.err
    merged = run("merge", "--finished", cwd=repo.path)
    assert merged.code == 0, merged.out + merged.err
    assert_all_landed(repo, ["a", "b", "c", "d"])
    assert_at_rest(repo, RunState.FINISHED)
    assert_green(repo, tmp_path)


def test_two_runs_of_overlapping_plans_take_turns(repo: GitRepo, gates: Gates, tmp_path: Path) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a >> one")},
        "b": {"files": {"write": ["one", "two"]}, "run": "echo b >> one; cp one two"},
    }
    commit_plans(repo, plans, f"check: {CHECK!r}\n")
    first = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    second = start("run-multi", "b", "--json", cwd=repo.path)
    why = read_until(second, "plan.waiting", "b")["reason"]
    assert (why["code"], why["plan"], why["detail"]) == ("overlap", "a", "one")
    gates.open("a")
    for process in (first, second):
        done = end_of(process)
        assert done.code == 0, done.out + done.err
    assert landings(repo) == ["a", "b"]
    assert repo.show("main", "two") == "a\nb\n"
    assert_serialised(repo, "a", "b")
    assert_all_landed(repo, ["a", "b"])
    assert_green(repo, tmp_path)


@pytest.mark.parametrize(
    ("settings", "files", "waits"),
    [
        pytest.param("", ("src/x.py", "SRC/X.py"), True, id="one-file-by-two-names"),
        pytest.param("hot_files: {log: union}\n", ("log", "log"), False, id="a-hot-file"),
    ],
)
def test_two_runs_compare_plans_as_overlap_does(
    repo: GitRepo, gates: Gates, settings: str, files: tuple[str, str], *, waits: bool
) -> None:
    """The second run's plan waits for that of the first exactly where `overlap` says that it would."""
    repo.git("config", "core.ignoreCase", "true")
    plans: dict[str, dict[str, object]] = {
        name: {"files": {"write": [file, f"{name}.txt"]}, "run": gates.command(name, f"echo > {name}.txt")}
        for name, file in zip(("a", "b"), files, strict=True)
    }
    commit_plans(repo, plans, settings)
    assert (run("overlap", cwd=repo.path).code == 1) is waits
    first = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    second = start("run-multi", "b", "--json", cwd=repo.path)
    if waits:
        assert read_until(second, "plan.waiting", "b")["reason"]["code"] == "overlap"
    else:
        gates.await_at("b")
    gates.open("a", "b")
    for process in (first, second):
        done = end_of(process)
        assert done.code == 0, done.out + done.err


def test_two_runs_of_the_same_plan_land_it_once(repo: GitRepo, gates: Gates) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a >> one")}})
    first = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    second = start("run-multi", "a", "--json", cwd=repo.path)
    assert read_until(second, "plan.waiting", "a")["reason"]["code"] == "plan-active"
    gates.open("a")
    for process in (first, second):
        done = end_of(process)
        assert done.code == 0, done.out + done.err
    assert gates.executions() == {"a": 1}
    assert_all_landed(repo, ["a"])


def test_the_other_goes_on_when_one_is_killed_in_its_check(repo: GitRepo, gates: Gates) -> None:
    """The queue's lease, held by a dead process, does not keep the other until it runs out."""
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
        "b": {"files": {"write": ["two"]}, "run": gates.command("b", "echo b > two")},
    }
    check = gates.command("check", CHECK).replace("'", "''")
    commit_plans(repo, plans, f"check: '{check}'\n")
    first = start("run-multi", "a", cwd=repo.path)
    second = start("run-multi", "b", cwd=repo.path)
    gates.await_at("b")
    gates.await_at("check")  # of a, by the first, which has the lease; or by the second, for it
    gates.pass_later("check")
    with store_of(repo) as store:
        (lease,) = store.leases()
        holder = store.session(lease.session)
    assert holder is not None
    killed, other = (first, second) if holder.pid == first.pid else (second, first)
    killed.send_signal(signal.SIGKILL)
    end_of(killed)
    gates.open("b")
    done = end_of(other, timeout=50)  # a lease that must run out takes 60 s
    assert done.code == 0, done.out + done.err
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert gates.executions()["b"] == 1
    assert_all_landed(repo, ["a", "b"])


def test_the_other_goes_on_when_one_is_killed_that_it_overlaps_with(repo: GitRepo, gates: Gates) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a >> one")},
        "b": {"files": {"write": ["one"]}, "run": "echo b >> one"},
    }
    commit_plans(repo, plans)
    first = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    second = start("run-multi", "b", "--json", cwd=repo.path)
    read_until(second, "plan.waiting", "b")
    first.send_signal(signal.SIGKILL)
    end_of(first)
    done = end_of(second, timeout=50)
    assert done.code == 0, done.out + done.err
    gates.open("a")
    again = run("resume", cwd=repo.path)
    assert gates.executions() == {"a": 1}
    assert landings(repo)[0] == "b"
    assert (again.code, "conflict" in again.out) == (1, True), (
        again.out + again.err
    )  # both append to one line


@pytest.mark.timeout(180)
@pytest.mark.parametrize("count", [4, pytest.param(16, marks=pytest.mark.stress)])
def test_s0_1_many_at_once_never_see_a_locked_database(repo: GitRepo, count: int) -> None:
    plans: dict[str, dict[str, object]] = {
        f"p{n}": {"files": {"write": [f"f{n}"]}, "run": f"echo {n} > f{n}"} for n in range(count)
    }
    commit_plans(repo, plans)
    processes = [start("run-multi", plan, cwd=repo.path) for plan in plans]
    for process in processes:
        done = end_of(process, timeout=150)
        assert done.code == 0, done.out + done.err
        assert "locked" not in done.err
    assert_all_landed(repo, list(plans))
