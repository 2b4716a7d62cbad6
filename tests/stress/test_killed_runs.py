"""planctl killed at any moment of a run, then resumed: every plan lands exactly once, and main is green.

Three ways: alone; with every supervisor killed as well; with a second planctl at work beside it.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from enum import StrEnum
from pathlib import Path

import pytest

from orchestrator.running import supervision
from tests.support.gates import assert_all_landed, at_work
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, run, start
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
    SUPERVISORS = "supervisors"
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


def kill_and_resume(repo: GitRepo, moment: int, way: Way) -> int:
    """Returns how many commands were left without a supervisor."""
    at = f"killed at {moment}, {way}"
    wanted = [*PLANS, *BESIDE] if way is Way.BESIDE else [*PLANS]
    killed, orphans = killed_run(repo, moment, way)
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
    return orphans


def killed_run(repo: GitRepo, moment: int, way: Way) -> tuple[Done, int]:
    beside = start("run-multi", *BESIDE, cwd=repo.path) if way is Way.BESIDE else None
    kill = {"PLANCTL_KILL_AT": f"*:{moment}"}
    killed = run("run-multi", *PLANS, "-j", "3", cwd=repo.path, env=kill)
    assert killed.code in (0, -signal.SIGKILL), killed.err
    orphans = kill_supervisors(repo) if way is Way.SUPERVISORS else 0
    if beside is not None:
        done = end_of(beside)
        assert done.code == 0, f"beside one killed at {moment}: {done.out}{done.err}"
    return killed, orphans


def kill_supervisors(repo: GitRepo) -> int:
    handles = [supervision.find(repo.path / ".git/planctl/records" / name) for name in at_work(repo)]
    for handle in handles:
        if handle is not None:
            supervision.kill_supervisor(handle)
    return len(handles)


def campaign(template: Path, tmp_path: Path, cases: list[tuple[int, Way]]) -> None:
    counts: Counter[str] = Counter()
    for number, (moment, way) in enumerate(cases):
        repo = made(template, tmp_path / f"{number}-{way}-{moment}")
        counts["orphans"] += kill_and_resume(repo, moment, way)
        counts[way] += 1
    print(f"{len(cases)} kills ({dict(counts)}): every plan landed once each time")


@pytest.mark.timeout(300)
def test_a_killed_run_is_resumed(template: Path, tmp_path: Path) -> None:
    chosen = random.Random(7)
    campaign(template, tmp_path, [(chosen.randrange(20, 260), way) for way in Way])


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_50_random_kills(template: Path, tmp_path: Path) -> None:
    total = moments(made(template, tmp_path / "whole"), tmp_path / "trace")
    chosen = random.Random(20261121)
    ways = [Way.ALONE] * 50 + [Way.SUPERVISORS] * 15 + [Way.BESIDE] * 15
    print(f"of {total} moments")
    campaign(template, tmp_path, [(chosen.randint(1, total), way) for way in ways])
