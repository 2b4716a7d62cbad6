"""planctl killed at any moment of a run, then resumed: every plan lands exactly once, and main is green."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.plans import commit_plans, landings
from tests.support.process import run
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
CHECK = "check: test ! -e bad\n"


def moments(repo: GitRepo, trace: Path) -> int:
    """How many moments one undisturbed run has."""
    done = run("run-multi", "--all", "-j", "3", cwd=repo.path, env={"PLANCTL_STEP_TRACE": str(trace)})
    assert done.code == 0, done.err
    return len(trace.read_text().splitlines())


def made(template: Path, path: Path) -> GitRepo:
    repo = GitRepo.copy_of(template, path)
    commit_plans(repo, PLANS, CHECK)
    return repo


def kill_and_resume(repo: GitRepo, moment: int) -> None:
    killed = run("run-multi", "--all", "-j", "3", cwd=repo.path, env={"PLANCTL_KILL_AT": f"*:{moment}"})
    for _ in range(3):
        again = run("resume", "--json", cwd=repo.path)
        if again.code == 2 and "no run was interrupted" in again.out:
            break
        assert again.code == 0, f"killed at {moment} ({killed.code}):\n{again.out}\n{again.err}"
    landed = landings(repo)
    if not landed:  # killed before the run was stored: nothing was promised yet
        assert run("run-multi", "--all", cwd=repo.path).code == 0
        landed = landings(repo)
    assert sorted(landed) == ["a", "b", "c", "d"], f"killed at {moment}: {landed}\n{killed.out}{killed.err}"
    assert repo.git("status", "--porcelain") == "", f"killed at {moment}"
    assert repo.show("main", "one") == repo.show("main", "one").replace("\n\n", "\n")
    assert sorted(repo.show("main", "one").split()) == ["a", "c"]
    assert repo.git("for-each-ref", "refs/planctl/candidates") == "", f"killed at {moment}"
    assert not list((repo.path / ".git").rglob("*.lock")) or _only_ours(repo), f"killed at {moment}"
    repo.git("fsck", "--no-dangling")


def _only_ours(repo: GitRepo) -> bool:
    """planctl's own lock files stay; git's must not."""
    locks = [p.relative_to(repo.path / ".git").as_posix() for p in (repo.path / ".git").rglob("*.lock")]
    return all(name.startswith("planctl/") for name in locks)


def campaign(template: Path, tmp_path: Path, count: int, seed: int) -> None:
    total = moments(made(template, tmp_path / "whole"), tmp_path / "trace")
    chosen = random.Random(seed).sample(range(1, total + 1), min(count, total))
    for moment in sorted(chosen):
        kill_and_resume(made(template, tmp_path / f"at-{moment}"), moment)
    print(f"killed at {len(chosen)} of {total} moments: every plan landed once each time")


@pytest.mark.timeout(300)
def test_a_killed_run_is_resumed(template: Path, tmp_path: Path) -> None:
    campaign(template, tmp_path, 6, seed=7)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_50_random_kills(template: Path, tmp_path: Path) -> None:
    campaign(template, tmp_path, 50, seed=20261121)
