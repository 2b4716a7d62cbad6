"""The benchmarks still measure what they say: each section once, on next to nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import (
    drift,
    figures,
    forecast,
    landing,
    memory,
    plans,
    provisioning,
    startup,
    takeover,
    zuul_merger,
)
from benchmarks.measure import Result, Side, Target, compare
from benchmarks.repositories import Shape
from tests.support.repo import GitRepo
from tests.support.slices import seldom
from worktrees.repository import find

TINY = Shape("tiny", 3, 2, 4)
SMALL = {
    "ROUNDS": 1, "COLD_ROUNDS": 1, "MANY_ROUNDS": 1, "LONG_ROUNDS": 1, "SYNCS": 1,
    "PLANS": 3, "FEW": 1, "MANY": 3, "LESS": 1, "MORE": 2, "BATCH": 2, "SETTLE": 0.0, "WATCHED": 0.1,
    "EVENTS": 30, "WORKTREES": 2, "BRANCHES": 4, "SHARED": 1, "SAMPLE": 2,
    "SHAPE": TINY, "MANY_SHAPE": TINY, "SHAPES": (TINY, Shape("large", 4, 2, 4)),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt" or shutil.which("flock") is None, reason="the shell baseline needs flock")
@pytest.mark.parametrize(
    "section",
    [provisioning, landing, *seldom(startup, plans, memory, drift, forecast, figures)],
    ids=lambda section: section.__name__,
)
def test_a_section_measures_both_sides(
    section: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SMALL.items():
        if hasattr(section, name):
            monkeypatch.setattr(section, name, value)
    monkeypatch.setattr(zuul_merger, "merger", lambda *_: None)  # a rival is not installed for a test
    found = list(section.results(tmp_path / "scratch", tmp_path / "cache"))
    assert found
    for result in found:
        assert result.ours != 0
        assert bool(result.reference_name) == bool(result.reference)


@pytest.mark.skipif(os.name == "nt", reason="kill -9 and kill -STOP")
@pytest.mark.parametrize("part", [*seldom("takeover", "leak watch")])
def test_take_over_and_leak_watch_are_measured(
    part: str, repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "ROUNDS", 1)
    for name, value in {"TURNS": 3, "SHAPE": TINY}.items():
        monkeypatch.setattr(drift, name, value)
    leak_watch = drift.leak_watch(tmp_path / "scratch", tmp_path / "cache")
    found = [*(takeover.takeovers(find(repo.path)) if part == "takeover" else leak_watch)]
    assert len(found) == (3 if part == "takeover" else 1)
    assert all(result.ours > 0 for result in found)


def test_both_sides_are_measured_in_turn_and_what_prepares_them_is_not() -> None:
    done: list[str] = []
    sides = (
        Side("a", lambda: done.append("a"), lambda: done.append("before a")),
        Side("b", lambda: done.append("b")),
    )
    result = compare(*sides, rounds=2)
    assert (result.name, result.reference_name, result.rounds) == ("a", "b", 2)
    assert done == ["before a", "a", "b", "b", "before a", "a", "before a", "a", "b"]


def test_a_row_says_whether_its_target_holds() -> None:
    assert Result("a", 10, "b", 100, target=Target(10, faster=True)).cells()[4:7] == (
        "10.0x faster", "≥ 10x faster", "holds",
    )  # fmt: skip
    assert Result("a", 16, "b", 10, target=Target(1.5)).cells()[4:7] == ("1.60", "≤ 1.5", "**falls short**")
    assert Result("a", 16, target=Target(15), unit="MB").cells()[1:] == (
        "16 MB", "", "", "", "≤ 15 MB", "**falls short**", "1",
    )  # fmt: skip
    assert Result("a", 16, "b", 8).holds is None
