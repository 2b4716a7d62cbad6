"""planctl and some supervisors killed while commands are at work: each is watched again, or run once more."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from orchestrator.running import supervision
from tests.support.campaigns import Record
from tests.support.gates import Gates, assert_all_landed, at_work, store_of
from tests.support.plans import commit_plans
from tests.support.process import end_of, end_started, run, start
from tests.support.repo import GitRepo

CHECK = "check: test ! -e bad\n"


def kill_at_work(repo: GitRepo, gates: Gates, chosen: random.Random) -> int:
    """planctl and some supervisors killed while three commands are at work; returns how many of these.

    A command whose supervisor lives is watched again; the others are ended and run once more.
    """
    names = ("a", "b", "c")
    plans: dict[str, dict[str, object]] = {
        n: {"files": {"write": [n]}, "run": gates.command(n, f"echo {n} >> {n}")} for n in names
    }
    commit_plans(repo, plans, CHECK)
    process = start("run-multi", *names, "-j", "3", cwd=repo.path)
    for name in names:
        gates.await_at(name)
    victims = set(chosen.sample(names, chosen.randrange(len(names) + 1)))
    process.send_signal(signal.SIGSTOP)  # at whatever moment it is: it may not have stored the launches yet
    kill_supervisors(repo, victims)
    process.kill()
    end_of(process)
    for name in names:
        (gates.pass_later if name in victims else gates.open)(name)
    again = run("resume", "--json", cwd=repo.path)
    assert again.code == 0, f"{victims}: {again.out}{again.err}"
    assert gates.executions() == {name: 1 + (name in victims) for name in names}
    assert gates.nobody_at(*names)
    assert_all_landed(repo, list(names))
    return len(victims)


def kill_supervisors(repo: GitRepo, plans: set[str]) -> None:
    with store_of(repo) as store:
        attempts = {a.id: a.plan for a in store.attempts()}
    for name in at_work(repo):
        handle = supervision.find(repo.path / ".git/planctl/records" / name)
        assert handle is not None
        if attempts[name.rpartition("-")[0]] in plans:
            supervision.kill_supervisor(handle)


def campaign_at_work(template: Path, tmp_path: Path, seed: int, count: int) -> str:
    chosen, killed = random.Random(seed), 0
    for number in range(count):
        gates = Gates(tmp_path / f"gates-{number}")
        try:
            killed += kill_at_work(GitRepo.copy_of(template, tmp_path / f"work-{number}"), gates, chosen)
        finally:
            end_started()
            gates.clear()
    return (
        f"{count} kills with commands at work, {killed} of {3 * count} supervisors: landed once, run as due"
    )


@pytest.mark.timeout(300)
def test_commands_at_work_are_watched_again_or_run_again(template: Path, tmp_path: Path) -> None:
    campaign_at_work(template, tmp_path, seed=3, count=1)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_25_kills_with_commands_at_work(template: Path, tmp_path: Path, record_property: Record) -> None:
    record_property("held", campaign_at_work(template, tmp_path, seed=20261121, count=25))
