"""Two runs and a merge at once, on one repository: they work with each other, and the invariants hold."""

from __future__ import annotations

import random
import threading

import pytest

from tests.support.invariants import require_invariants
from tests.support.plans import commit_plans, landings
from tests.support.process import run, start
from tests.support.repo import GitRepo

CHECK = "check: test -e README.md && ! grep -rq '<<<<<<<' src\n"


def three_at_once(repo: GitRepo, plans: dict[str, dict[str, object]], branches: dict[str, str]) -> None:
    """``a*`` and ``b*`` are two runs, the branches are merged beside them, and a user commits meanwhile."""
    began = commit_plans(repo, plans, CHECK)
    for name, path in branches.items():
        repo.branch(name, {path: f"{name}\n"})
    processes = [
        start("run-multi", *[p for p in plans if p[0] == first], "--json", cwd=repo.path) for first in "ab"
    ]
    processes.append(start("merge", *branches, "--json", cwd=repo.path))
    user = threading.Thread(target=commit_some, args=(repo, 3))
    user.start()
    outputs = [process.communicate(timeout=100) for process in processes]
    user.join()
    for process, (out, err) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, (out[-2000:], err[-2000:])
    assert sorted(landings(repo)) == sorted(plans)
    for name, path in branches.items():
        assert repo.show("main", path) == f"{name}\n"
    assert repo.git("status", "--porcelain") == ""
    require_invariants(repo, began)


def commit_some(repo: GitRepo, count: int) -> None:
    """A user who commits on main whenever git lets them: it refuses while a landing is being made."""
    done = 0
    while done < count:
        repo.write(f"user/{done}.txt", "mine\n")
        repo.git("add", f"user/{done}.txt", ok=False)
        repo.git("commit", "-q", "-m", f"user {done}", "--", f"user/{done}.txt", ok=False)
        done += repo.git("ls-tree", "main", f"user/{done}.txt") != ""


def plan(path: str, **header: object) -> dict[str, object]:
    return {"files": {"write": [path]}, "run": f'echo "$PLANCTL_PLAN" >> {path}', **header}


def test_two_runs_with_disjoint_plans_and_a_merge_beside_them(repo: GitRepo) -> None:
    plans = {name: plan(f"src/{name}.txt") for name in ("a1", "a2", "b1", "b2")}
    three_at_once(repo, plans, {"c1": "c1.txt", "c2": "c2.txt"})


def test_two_runs_with_overlapping_plans_and_a_merge_beside_them(repo: GitRepo) -> None:
    plans = {name: plan("src/shared.txt") for name in ("a1", "a2", "b1", "b2")}
    three_at_once(repo, plans, {"c1": "c1.txt"})
    assert sorted(repo.show("main", "src/shared.txt").split()) == ["a1", "a2", "b1", "b2"]


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(20))
def test_many_mixtures_side_by_side(repo: GitRepo, seed: int) -> None:
    dice = random.Random(seed)
    names = [f"{run_}{n}" for run_ in "ab" for n in range(dice.randint(1, 4))]
    plans = {name: plan(f"src/{dice.choice(['x', 'y', name])}.txt") for name in names}
    three_at_once(repo, plans, {f"c{n}": f"c{n}.txt" for n in range(dice.randint(1, 3))})


def test_a_merge_beside_a_queue_that_is_served(repo: GitRepo) -> None:
    began = repo.commit("settings", {"planctl.yaml": CHECK})
    for n in range(3):
        repo.branch(f"c{n}", {f"c{n}.txt": f"{n}\n"})
    serving = start("queue", "run", "--json", cwd=repo.path)
    try:
        merging = [start("merge", f"c{n}", "--json", cwd=repo.path) for n in range(3)]
        for process in merging:
            out, err = process.communicate(timeout=100)
            assert process.returncode == 0, (out, err)
    finally:
        serving.terminate()
        serving.communicate(timeout=60)
    assert serving.returncode == 143
    assert run("merge", "c0", "c1", "c2", cwd=repo.path).code == 0
    require_invariants(repo, began)
