"""Named resources: held until a phase is complete (S2.8), shared by all repositories of a host (S2.13)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.gates import Gates, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of plans are POSIX shell here")


def waits(events: list[dict[str, object]]) -> list[tuple[object, object, object]]:
    return [
        (e["plan"], e["reason"]["code"], e["reason"].get("detail"))  # type: ignore[index,attr-defined]
        for e in events
        if e["event"] == "plan.waiting"
    ]


def test_s2_8_what_a_phase_holds_is_free_once_it_is_complete(repo: GitRepo, gates: Gates) -> None:
    """``next`` begins while ``long`` is still at work in its second phase."""
    phases = [
        {"name": "1", "resources": {"db": 1}, "run": gates.command("first", "echo 1 > one")},
        {"name": "2", "run": gates.command("second", "echo 2 >> one")},
    ]
    plans: dict[str, dict[str, object]] = {
        "long": {"priority": "high", "resources": {"net": 1}, "phases": phases},
        "next": {"resources": {"db": 1}, "run": gates.command("next", "echo n > two")},
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "-j", "2", "--json", cwd=repo.path)
    gates.await_at("first")
    assert read_until(process, "plan.waiting")["reason"] == {"code": "resource", "detail": "db"}
    table = run("status", "--json", cwd=repo.path).data["resources"]
    assert [(row["resource"], row["amount"], row["plan"], row["until"]) for row in table] == [
        ("db", 1, "long", "phase-1-complete"),
        ("net", 1, "long", None),
    ]
    assert "  db  1  long  phase-1-complete\n" in run("status", cwd=repo.path).out
    gates.open("first")
    gates.await_at("second")
    gates.await_at("next")
    table = run("status", "--json", cwd=repo.path).data["resources"]
    assert [(row["resource"], row["plan"]) for row in table] == [("db", "next"), ("net", "long")]
    gates.open("second", "next")
    assert end_of(process).code == 0
    assert sorted(landings(repo)) == ["long", "next"]
    assert run("status", "--json", cwd=repo.path).data["resources"] == []


def test_s2_13_capacities_are_shared_by_all_repositories_of_the_host(
    template: Path, tmp_path: Path, gates: Gates
) -> None:
    """Two places: two repositories have one each, a third waits, also for a command whose planctl is dead."""
    repos = [GitRepo.copy_of(template, tmp_path / name) for name in ("a", "b", "c")]
    for repo in repos:
        name = repo.path.name
        one: dict[str, object] = {"resources": {"db": 1}, "run": gates.command(name, f"echo {name} > it")}
        commit_plans(repo, {name: one}, "resources: {db: 2}\n")
    first, second = (start("run-multi", "--all", "--json", cwd=repo.path) for repo in repos[:2])
    gates.await_at("a")
    gates.await_at("b")
    third = start("run-multi", "--all", "--json", cwd=repos[2].path)
    waiting = read_until(third, "plan.waiting")
    assert waiting["reason"] == {"code": "host-resource", "detail": "db"}
    assert waiting["text"] == "waits for resource db, in use elsewhere on this host"
    first.kill()
    end_of(first)
    fourth = GitRepo.copy_of(template, tmp_path / "d")
    two: dict[str, object] = {"resources": {"db": 2}, "run": "echo d > it"}
    commit_plans(fourth, {"d": two}, "resources: {db: 2}\n")
    last = start("run-multi", "--all", "--json", cwd=fourth.path)
    read_until(
        last, "plan.waiting"
    )  # all or nothing: it does not sit on one place while it waits for another
    assert third.poll() is None
    with store_of(repos[2]) as store:
        assert [a.reason["code"] for a in store.attempts()] == ["host-resource"]
    gates.open("b")
    assert end_of(second).code == 0
    gates.await_at("c")
    gates.open("a", "c")
    assert run("resume", cwd=repos[0].path).code == 0
    for process, repo in ((third, repos[2]), (last, fourth)):
        done = end_of(process)
        assert done.code == 0, done.out + done.err
        assert landings(repo) == [repo.path.name]


def test_s2_13_what_a_phase_holds_outlives_planctl_as_long_as_its_command(
    template: Path, tmp_path: Path, gates: Gates
) -> None:
    """The command of a killed planctl still has ``db``. Once it has ended, somebody else gets it.

    The next stage then waits for it again after ``resume``.
    """
    repo, other = (GitRepo.copy_of(template, tmp_path / name) for name in ("repo", "other"))
    phases = [
        {"name": "1", "resources": {"db": 1}, "run": gates.command("one", "echo 1 > one")},
        {"name": "2", "resources": {"db": 1}, "run": "echo 2 >> one"},
    ]
    commit_plans(repo, {"p": {"phases": phases}})
    commit_plans(other, {"q": {"resources": {"db": 1}, "run": gates.command("q", "echo q > one")}})
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("one")
    process.kill()
    end_of(process)
    beside = start("run-multi", "--all", "--json", cwd=other.path)
    assert read_until(beside, "plan.waiting")["reason"] == {"code": "host-resource", "detail": "db"}
    gates.open("one")
    gates.await_at("q")
    resumed = start("resume", "--json", cwd=repo.path)
    assert read_until(resumed, "plan.waiting")["reason"] == {"code": "host-resource", "detail": "db"}
    gates.open("q")
    assert end_of(beside).code == 0
    done = end_of(resumed)
    assert done.code == 0, done.out + done.err
    assert repo.show("main", "one") == "1\n2\n"


def test_s2_13_a_phase_that_completes_frees_the_host_while_its_command_goes_on(
    template: Path, tmp_path: Path, gates: Gates
) -> None:
    repo, other = (GitRepo.copy_of(template, tmp_path / name) for name in ("repo", "other"))
    phases = [{"name": "1", "resources": {"db": 1}}, {"name": "2"}]
    commit_plans(repo, {"p": {"phases": phases, "run": f"echo 1 > one; {gates.command('two', 'true')}"}})
    commit_plans(other, {"q": {"resources": {"db": 1}, "run": gates.command("q", "echo q > one")}})
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("two")
    beside = start("run-multi", "--all", "--json", cwd=other.path)
    assert read_until(beside, "plan.waiting")["reason"] == {"code": "host-resource", "detail": "db"}
    with store_of(repo) as store:
        worktree = Path(store.attempts()[0].worktree or "")
    assert run("phase", "complete", "1", cwd=worktree).code == 0
    gates.await_at("q")
    gates.open("q", "two")
    assert end_of(beside).code == 0
    assert end_of(process).code == 0
