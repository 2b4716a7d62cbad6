"""Merges in memory against ``git merge`` in a real checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.merging import Pair, compare_histories, outcome, real_merge
from tests.support.repo import GitRepo
from worktrees.errors import GitFailedError
from worktrees.merge import Conflicted, Merged, merge_trees


def test_random_histories_merge_as_git_merge_does(tmp_path: Path) -> None:
    counts = compare_histories(tmp_path, range(30))
    assert counts["merged"] > 2
    assert counts["conflicted"] > 5


def test_disjoint_edits_merge_by_tree_ids_as_git_merge_does(tmp_path: Path) -> None:
    counts = compare_histories(tmp_path, range(1000, 1015), plain=True)
    assert counts["by tree ids"] > 10


@pytest.mark.stress
@pytest.mark.timeout(1200)
def test_many_random_histories_merge_as_git_merge_does(tmp_path: Path) -> None:
    print(compare_histories(tmp_path, range(2000, 2600)))
    print(compare_histories(tmp_path, range(5000, 5150), plain=True))
