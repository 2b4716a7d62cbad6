"""The benchmarks still measure what they say: each section once, on next to nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import landing, plans, provisioning, repositories, startup
from benchmarks.measure import Side, compare

SMALL = {"ROUNDS": 1, "PLANS": 3, "BRANCHES": 3, "FOLDERS": 3, "FILES": 2}


@pytest.mark.skipif(os.name == "nt" or shutil.which("flock") is None, reason="the shell baseline needs flock")
@pytest.mark.parametrize("section", [startup, provisioning, landing, plans], ids=lambda s: s.__name__)
def test_a_section_measures_both_sides(
    section: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (section, repositories):
        for name, value in SMALL.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    results = list(section.results(tmp_path))
    assert results
    for result in results:
        assert result.rounds == 1
        assert result.ours > 0
        assert result.reference > 0


def test_both_sides_are_measured_in_turn_and_what_prepares_them_is_not() -> None:
    done: list[str] = []
    sides = (
        Side("a", lambda: done.append("a"), lambda: done.append("before a")),
        Side("b", lambda: done.append("b")),
    )
    result = compare(*sides, rounds=2)
    assert (result.name, result.reference_name, result.rounds) == ("a", "b", 2)
    assert done == ["before a", "a", "b", "b", "before a", "a", "before a", "a", "b"]
