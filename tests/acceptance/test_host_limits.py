"""P14: build slots and a memory floor, shared by all runs of one user on the host."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.running import memory, supervision
from orchestrator.running.memory import Memory
from tests.support.cli import planctl
from tests.support.faces import reading, write_plan
from tests.support.gates import Gates, supervised
from tests.support.plans import commit_plans, landings
from tests.support.process import COMMAND, end_of, read_until, run, start
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of plans are POSIX shell here")
ONE_SLOT = "host: {build_slots: 1}\n"
WAITS = {"code": "build-slots", "detail": "1"}


def two_repositories(template: Path, folder: Path, gates: Gates) -> tuple[GitRepo, GitRepo]:
    """``a`` with plan ``a``, ``b`` with plan ``b``, each behind a gate, with one build slot between them."""
    repos = tuple(GitRepo.copy_of(template, folder / name) for name in ("a", "b"))
    for repo in repos:
        name = repo.path.name
        commit_plans(repo, {name: {"run": gates.command(name, f"echo {name} > it")}}, ONE_SLOT)
    return repos[0], repos[1]


def killed_beside_one_that_waits(
    one: GitRepo, two: GitRepo, gates: Gates
) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A run of ``two`` that waits for the slot of ``one``, whose planctl is then killed; and how it waits."""
    first = start("run-multi", "--all", "--json", cwd=one.path)
    gates.await_at("a")
    second = start("run-multi", "--all", "--json", cwd=two.path)
    waiting = read_until(second, "plan.waiting")
    assert waiting["reason"] == WAITS
    first.kill()
    end_of(first)
    return second, waiting


def test_p14_build_slots_are_shared_by_all_repositories_of_the_host(
    template: Path, tmp_path: Path, gates: Gates
) -> None:
    """The command of a planctl that is dead keeps its slot as long as it is at work."""
    one, two = two_repositories(template, tmp_path, gates)
    second, waiting = killed_beside_one_that_waits(one, two, gates)
    assert waiting["text"] == "waits for one of the 1 build slots of this host (host: build_slots)"
    with reading(two) as store:
        assert [a.reason for a in store.attempts()] == [WAITS]
    gates.open("a")
    gates.await_at("b")
    gates.open("b")
    assert end_of(second).code == 0
    assert run("resume", cwd=one.path).code == 0
    assert (landings(one), landings(two)) == (["a"], ["b"])


def test_p14_killed_with_its_supervisors_a_run_leaves_its_slot_to_others(
    template: Path, tmp_path: Path, gates: Gates
) -> None:
    one, two = two_repositories(template, tmp_path, gates)
    second, _ = killed_beside_one_that_waits(one, two, gates)
    supervision.kill_supervisor(supervised(one, "a"))
    gates.await_at("b")
    gates.open("a", "b")
    assert end_of(second).code == 0
    assert landings(two) == ["b"]
    assert run("resume", cwd=one.path).code == 0
    assert landings(one) == ["a"]


def test_p14_plans_of_one_run_take_turns(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        name: {"run": f"mkdir ../only-one && echo {name} > {name} && rmdir ../only-one"} for name in "abc"
    }
    commit_plans(repo, plans, ONE_SLOT)
    said = run("run-multi", "--all", "-j", "3", cwd=repo.path)
    assert said.code == 0, said.out + said.err
    assert sorted(landings(repo)) == ["a", "b", "c"]


def test_p14_a_run_inside_a_plan_works_in_the_place_of_that_plan(repo: GitRepo) -> None:
    """To wait for a slot of its own would be to wait for itself."""
    plans: dict[str, dict[str, object]] = {
        "inner": {"run": "echo i > i"},
        "outer": {"run": f"{shlex.join(COMMAND)} run-multi inner"},
    }
    commit_plans(repo, plans, ONE_SLOT)
    said = run("run-multi", "outer", cwd=repo.path)
    assert said.code == 0, said.out + said.err
    assert repo.show("main", "i") == "i\n"


def told(monkeypatch: pytest.MonkeyPatch, available: object) -> None:
    """Say how many bytes of 8 GiB are available; a host short of memory cannot be had at will."""
    monkeypatch.setattr(memory, "available_memory", lambda: Memory(available(), 8 << 30))  # type: ignore[operator]


def test_p14_below_the_floor_a_plan_waits_until_there_is_memory(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plan(repo, "one", "echo x > one.txt")
    repo.commit("plans", {"planctl.yaml": "host: {memory_floor: 2GiB}\n"})

    def until_it_waits() -> int:
        with reading(repo) as store:
            waits = any(e.event == "plan.waiting" for e in store.events_after(0))
        return 2 << 30 if waits else 1 << 30

    told(monkeypatch, until_it_waits)
    said = planctl("run-multi", "one", repo=repo.path)
    assert said.code == 0, said
    assert "waits for memory: less than 2.0 GiB of memory available (host: memory_floor)" in said.stdout
    assert repo.show("main", "one.txt") == "x\n"


def test_p14_a_floor_above_what_the_host_has_is_not_waited_for(repo: GitRepo) -> None:
    commit_plans(repo, {"one": {"run": "echo x > x"}}, "host: {memory_floor: 999999GB}\n")
    said = run("run-multi", "one", "--json", cwd=repo.path)
    assert said.code == 1
    with reading(repo) as store:
        (attempt,) = store.attempts()
    assert attempt.reason["code"] == "over-capacity"
    assert "GiB of memory, and this host has" in attempt.reason["detail"]
    assert "memory available, the floor is 999999.0" in planctl("doctor", repo=repo.path).stdout


def test_p14_where_runs_of_the_host_cannot_meet_one_line_says_so(repo: GitRepo, tmp_path: Path) -> None:
    """Nothing is at work then, and the run goes on once the folder can be used."""
    commit_plans(repo, {"a": {"run": "echo a > it"}}, ONE_SLOT)
    (tmp_path / "file").touch()
    done = run("run-multi", "a", cwd=repo.path, env={"XDG_STATE_HOME": str(tmp_path / "file")})
    assert done.code == 2, done.out + done.err
    assert "what runs of this host share cannot be had in" in done.err
    assert run("resume", cwd=repo.path).code == 0
    assert landings(repo) == ["a"]
