"""Sessions at work for minutes while processes are killed and paused, the wall clock jumps, the disk fills up
and the store cannot be written: what was promised holds, and in the end nothing is left over."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stress.soak.troubles import Troubles
from tests.stress.soak.world import World
from tests.stress.test_full_disks import small_disk
from tests.support.campaigns import Record
from tests.support.faces import reading
from tests.support.grants import faults_of, read_grants
from tests.support.invariants import require_invariants
from tests.support.leftovers import leftovers
from tests.support.process import run
from tests.support.repo import GitRepo

SECONDS = float(os.environ.get("PLANCTL_STRESS_SOAK", "600"))
SEED = int(os.environ.get("PLANCTL_STRESS_SEED", "6"))
STOPPED = re.compile(
    r"No space left|disk is full|disk I/O error|Read-only|readonly|unable to open|(cannot|may not) be written"
)
"""What a fault may say: the disk's own words."""


@pytest.fixture
def may_be_small(tmp_path: Path) -> Iterator[tuple[Path, Path | None]]:
    """Where the repository is to be, and the small file system that holds it, where one can be mounted."""
    try:
        with small_disk(tmp_path / "disk", mib=96) as disk:
            yield disk / "repo", disk
    except pytest.skip.Exception:
        yield tmp_path / "repo", None


def let_work(world: World, agents: int, seconds: float, seed: int) -> Counter[str]:
    """Agents at work and trouble beside them for so long; then all agents end what they are doing."""
    over = threading.Event()
    troubles = Troubles(world, random.Random(seed), over)
    beside = threading.Thread(target=troubles)
    beside.start()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until and beside.is_alive():
            world.tend(agents)
            over.wait(0.2)
    finally:
        over.set()
        beside.join()
        (world.folder / "stop").touch()
    for process in world.working.values():
        assert process.wait(120) in (0, -9)
    assert troubles.made["kill"] + troubles.made["kill_agent"] > 0
    return troubles.made


def accepted(acts: list[dict[str, Any]]) -> list[str]:
    """The branches that planctl said it has queued."""
    return sorted({a["words"][2] for a in acts if a["words"][:2] == ["queue", "add"] and a["code"] == 0})


def put_right(repo: GitRepo, branches: list[str]) -> None:
    """What a person does in the morning."""
    tidying = [["doctor", "--fix", "--json"]]
    for words in [["merge", *branches], *tidying] if branches else tidying:
        done = run(*words, cwd=repo.path, timeout=1800)
        assert done.code == 0, f"{words}\n{done.out}{done.err}"


def require_clean_words(acts: list[dict[str, Any]]) -> None:
    """Every command ended with a code of the contract; a fault was the disk's, in one line."""
    for act in acts:
        said = f"{act['by']} {act['words']}: {act['code']}\n{act['err']}"
        assert act["code"] in (0, 1, 2, 3, 4, -9), said
        assert "Traceback" not in act["err"], said
        if act["code"] in (2, 3):
            assert STOPPED.search(act["err"]), said


def require_landed(repo: GitRepo, branches: list[str]) -> None:
    """Each is on main, once."""
    log = repo.git("log", "--first-parent", "--diff-merges=first-parent", "--format=", "--name-only", "main")
    brought = Counter(name.removeprefix("done/") for name in log.split())
    assert {branch: brought[branch] for branch in branches} == dict.fromkeys(branches, 1)


def require_tasks(repo: GitRepo, acts: list[dict[str, Any]]) -> int:
    """What was said to be complete is, was claimed by one at a time, and is ticked; returns how many."""
    done = [a for a in acts if a["words"][:2] == ["task", "complete"] and a["code"] == 0]
    keys = [a["words"][2] for a in done]
    assert len(keys) == len(set(keys)), "completed twice"
    rows = {row["id"]: row for row in run("task", "list", "--json", cwd=repo.path).data["tasks"]}
    text = (repo.path / "plans/chores.md").read_text("utf-8")
    for act in done:
        key = act["words"][2]
        assert (rows[key]["state"], rows[key]["result"]) == ("completed", "done")
        assert f"- [x] {key.partition(':')[2]} " in text
    with reading(repo) as store:
        granted = store.lease_notes(action="granted", limit=100_000)
    for key in rows:
        tokens = [note.token for note in granted if note.name == f"task:{key}"]
        assert tokens == sorted(set(tokens), reverse=True), f"{key} was granted out of order: {tokens}"
    return len(done)


def soak(world: World, agents: int, seconds: float, seed: int) -> str:
    made = let_work(world, agents, seconds, seed)
    repo, acts = world.repo, world.acts()
    require_clean_words(acts)
    branches = accepted(acts)
    put_right(repo, branches)
    require_landed(repo, branches)
    completed = require_tasks(repo, acts)
    grants = read_grants(world.folder)
    assert faults_of(grants, lambda _, __: True) == []
    require_invariants(repo, world.start)
    assert leftovers(repo) == []
    assert repo.git("status", "--porcelain") in ("", " M plans/chores.md")
    troubles = ", ".join(f"{kind} {count}" for kind, count in sorted(made.items()))
    return (
        f"soak: {agents} sessions, {seconds:.0f} s, {len(acts)} acts, {len(branches)} branches landed once, "
        f"{completed} tasks, {len(grants)} grants; {troubles}"
    )


def world_of(template: Path, folder: Path, places: tuple[Path, Path | None], seed: int) -> World:
    folder.mkdir()
    return World(GitRepo.copy_of(template, places[0]), folder, places[1], seed)


@pytest.mark.timeout(240)
def test_a_short_soak_leaves_nothing_over(
    template: Path, tmp_path: Path, may_be_small: tuple[Path, Path | None], record_property: Record
) -> None:
    world = world_of(template, tmp_path / "notes", may_be_small, seed=3)
    world.prepare(agents=3, branches=4, tasks=8)
    record_property("held", soak(world, agents=3, seconds=4, seed=3))


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_eight_sessions_for_ten_minutes(
    template: Path, tmp_path: Path, may_be_small: tuple[Path, Path | None], record_property: Record
) -> None:
    world = world_of(template, tmp_path / "notes", may_be_small, seed=SEED)
    world.prepare(agents=8, branches=60, tasks=150)
    record_property("held", soak(world, agents=8, seconds=SECONDS, seed=SEED))
