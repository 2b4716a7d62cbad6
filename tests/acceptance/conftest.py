"""Real runs in processes of their own; none outlives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gates import Gates
from tests.support.odd_runs import TWO
from tests.support.plans import commit_plans
from tests.support.process import end_started
from tests.support.repo import GitRepo


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[Gates]:
    gates = Gates(tmp_path / "gates")
    yield gates
    end_started()
    gates.clear()


@pytest.fixture
def two(repo: GitRepo) -> GitRepo:
    """A repository with plans ``a`` and ``b``, which have nothing to do with each other."""
    commit_plans(repo, TWO)
    return repo
