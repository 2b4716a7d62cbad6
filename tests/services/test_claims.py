"""S4.1: of all processes that claim a task, exactly one has it."""

from __future__ import annotations

import pytest

from tests.support.claims import big_plan, race
from tests.support.process import run
from tests.support.repo import GitRepo


@pytest.mark.parametrize(
    ("processes", "tasks", "seed"),
    [
        (2, 40, 1),
        (8, 40, 2),
        pytest.param(2, 1000, 3, marks=pytest.mark.stress),
        pytest.param(8, 1000, 4, marks=pytest.mark.stress),
        pytest.param(64, 1000, 5, marks=pytest.mark.stress),
    ],
)
def test_s4_1_each_task_has_exactly_one_winner(repo: GitRepo, processes: int, tasks: int, seed: int) -> None:
    repo.write("plans/big.md", big_plan(tasks))
    wins, seconds = race(repo.path, processes, seed)
    print(f"{processes} processes, {tasks} tasks: {tasks / seconds:.0f} claims a second")
    assert len(wins) == tasks
    assert set(wins.values()) == {1}
    rows = run("task", "list", "--json", cwd=repo.path).data["tasks"]
    assert all(row["state"] == "open" for row in rows), "their holders are dead, and somebody has looked"
