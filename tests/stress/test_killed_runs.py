"""planctl killed at any moment of a run, then resumed: every plan lands exactly once, and main is green.

Alone; with a second planctl beside it; and while commands are at work, with some of their supervisors.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from enum import StrEnum
from pathlib import Path

import pytest

from orchestrator.running import supervision
from tests.support.gates import Gates, assert_all_landed, at_work, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, end_started, run, start
from tests.support.repo import GitRepo

PLANS: dict[str, dict[str, object]] = {
    "a": {"files": {"write": ["one"]}, "run": "echo a >> one"},
    "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
    "c": {
        "files": {"write": ["one", "three"]},
        "run": "echo c >> one; echo c > three; git add -A; git commit -qm c",
    },
    "d": {"files": {"write": ["four"]}, "run": "echo d > four"},
}
BESIDE: dict[str, dict[str, object]] = {
    "e": {"files": {"write": ["five"]}, "run": "echo e > five"},
    "f": {"files": {"write": ["six"]}, "dependencies": ["e"], "run": "cat five > six"},
}
CHECK = "check: test ! -e bad\n"


class Way(StrEnum):
    """What else happens when planctl is killed."""

    ALONE = "alone"
    BESIDE = "beside"


def moments(repo: GitRepo, trace: Path) -> int:
    """How many moments one undisturbed run has."""
    done = run("run-multi", *PLANS, "-j", "3", cwd=repo.path, env={"PLANCTL_STEP_TRACE": str(trace)})
    assert done.code == 0, done.err
    return len(trace.read_text().splitlines())


def made(template: Path, path: Path) -> GitRepo:
    repo = GitRepo.copy_of(template, path)
    commit_plans(repo, {**PLANS, **BESIDE}, CHECK)
    return repo


def kill_and_resume(repo: GitRepo, moment: int, way: Way) -> None:
    at = f"killed at {moment}, {way}"
    wanted = [*PLANS, *BESIDE] if way is Way.BESIDE else [*PLANS]
    killed = killed_run(repo, moment, way)
    for _ in range(3):
        again = run("resume", "--json", cwd=repo.path)
        if again.code == 2 and "no run was interrupted" in again.out:
            break
        assert again.code == 0, f"{at} ({killed.code}):\n{again.out}\n{again.err}"
    if not set(landings(repo)) & set(PLANS):  # killed before the run was stored: nothing was promised yet
        assert run("run-multi", *PLANS, cwd=repo.path).code == 0, at
    assert sorted(landings(repo)) == wanted, f"{at}: {landings(repo)}\n{killed.out}{killed.err}"
    assert sorted(repo.show("main", "one").split()) == ["a", "c"], at
    assert_all_landed(repo, wanted)
    assert at_work(repo) == [], at


def killed_run(repo: GitRepo, moment: int, way: Way) -> Done:
    beside = start("run-multi", *BESIDE, cwd=repo.path) if way is Way.BESIDE else None
    kill = {"PLANCTL_KILL_AT": f"*:{moment}"}
    killed = run("run-multi", *PLANS, "-j", "3", cwd=repo.path, env=kill)
    assert killed.code in (0, -signal.SIGKILL), killed.err
    if beside is not None:
        done = end_of(beside)
        assert done.code == 0, f"beside one killed at {moment}: {done.out}{done.err}"
    return killed


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


def campaign_at_work(template: Path, tmp_path: Path, seed: int, count: int) -> None:
    chosen, killed = random.Random(seed), 0
    for number in range(count):
        gates = Gates(tmp_path / f"gates-{number}")
        try:
            killed += kill_at_work(GitRepo.copy_of(template, tmp_path / f"work-{number}"), gates, chosen)
        finally:
            end_started()
            gates.clear()
    print(
        f"{count} kills with commands at work, {killed} of {3 * count} supervisors: landed once, run as due"
    )


def campaign(template: Path, tmp_path: Path, cases: list[tuple[int, Way]]) -> None:
    counts: Counter[str] = Counter()
    for number, (moment, way) in enumerate(cases):
        repo = made(template, tmp_path / f"{number}-{way}-{moment}")
        kill_and_resume(repo, moment, way)
        counts[way] += 1
    print(f"{len(cases)} kills ({dict(counts)}): every plan landed once each time")


@pytest.mark.timeout(300)
def test_a_killed_run_is_resumed(template: Path, tmp_path: Path) -> None:
    chosen = random.Random(7)
    campaign(template, tmp_path, [(chosen.randrange(20, 260), way) for way in Way])


@pytest.mark.timeout(300)
def test_commands_at_work_are_watched_again_or_run_again(template: Path, tmp_path: Path) -> None:
    campaign_at_work(template, tmp_path, seed=3, count=1)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_25_kills_with_commands_at_work(template: Path, tmp_path: Path) -> None:
    campaign_at_work(template, tmp_path, seed=20261121, count=25)


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_50_random_kills(template: Path, tmp_path: Path) -> None:
    total = moments(made(template, tmp_path / "whole"), tmp_path / "trace")
    chosen = random.Random(20261121)
    ways = [Way.ALONE] * 50 + [Way.BESIDE] * 25
    print(f"of {total} moments")
    campaign(template, tmp_path, [(chosen.randint(1, total), way) for way in ways])
