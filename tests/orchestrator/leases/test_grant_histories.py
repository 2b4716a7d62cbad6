"""Real processes ask for scopes and files at random; what they saw is checked, and so is the checker."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.store.scopes import share_a_file
from orchestrator.store.sqlite.opening import open_sqlite
from tests.support.grants import WORKER, Grant, faults_of, read_grants
from tests.support.slices import seldom


def meets(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return share_a_file(one, other) is not None


@pytest.mark.parametrize(("processes", "rounds", "seed"), [(4, 12, 1), *seldom((16, 60, 2), (100, 10, 3))])
def test_s1_14_grants_that_exclude_each_other_never_overlap_and_tokens_rise(
    tmp_path: Path, processes: int, rounds: int, seed: int
) -> None:
    open_sqlite(tmp_path / "state.db", SystemClock()).store.close()
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), str(n), str(rounds), str(seed)])
        for n in range(processes)
    ]
    assert [worker.wait(300) for worker in workers] == [0] * processes
    grants = read_grants(tmp_path)
    assert len(grants) == processes * rounds
    assert faults_of(grants, meets) == []
    assert sorted(grant.token for grant in grants) == list(range(1, processes * rounds + 1))
    store = open_sqlite(tmp_path / "state.db", SystemClock()).store
    assert not store.leases()
    assert not store.waits()
    tokens = [note.token for note in store.lease_notes(action="granted", limit=10_000)]
    assert tokens == sorted(tokens, reverse=True)


GOOD = Grant(by=0, scope="write", branch="main", files=(), token=1, invoked=0.0, held=1.0, left=2.0)


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (replace(GOOD, by=1, token=2, invoked=1.2, held=1.5, left=3.0), "held at once"),
        (replace(GOOD, by=1, token=2, scope="read", invoked=0, held=1.9, left=3.0), "held at once"),
        (replace(GOOD, by=1, token=2, files=("a",), invoked=0, held=0.5, left=1.1), "held at once"),
        (replace(GOOD, by=1, token=1, invoked=2.0, held=2.5, left=3.0), "was given to"),
        (replace(GOOD, by=1, token=2, invoked=-3, held=-2, left=-1), "before 1 was asked for"),
        (replace(GOOD, by=1, token=2, scope="none", invoked=-3, held=-2, left=3), "before 1 was asked for"),
        (replace(GOOD, token=2, invoked=-3, held=-2, left=3), "before 1 was asked for"),
    ],
)
def test_the_checker_sees_a_broken_history(other: Grant, fault: str) -> None:
    (found,) = faults_of([GOOD, other], meets)
    assert fault in found


@pytest.mark.parametrize(
    "other",
    [
        replace(GOOD, by=1, token=2, invoked=0.5, held=2.0, left=3.0),
        replace(GOOD, by=1, token=2, scope="none", invoked=0.5, held=1.0, left=3.0),
        replace(GOOD, token=2, invoked=1.5, held=1.6, left=3.0),
    ],
)
def test_the_checker_lets_a_good_history_be(other: Grant) -> None:
    assert faults_of([GOOD, other], meets) == []
    readers = [replace(GOOD, by=n, token=n + 1, scope="read") for n in range(3)]
    files = [replace(GOOD, by=n, token=n + 1, files=(f"src/{n}.py",)) for n in range(3)]
    assert faults_of(readers, meets) == faults_of(files, meets) == []
