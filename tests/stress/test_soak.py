"""Sessions at work for minutes while processes are killed and paused, the wall clock jumps, the disk fills up
and the store cannot be written: what was promised holds, and in the end nothing is left over."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.states import AttemptState, RunState
from tests.stress.soak.troubles import Troubles
from tests.stress.soak.world import World
from tests.stress.test_full_disks import small_disk
from tests.support.campaigns import Record
from tests.support.faces import reading
from tests.support.grants import faults_of, read_grants
from tests.support.invariants import require_invariants
from tests.support.leftovers import held, leftovers
from tests.support.plans import landings
from tests.support.process import Done, run
from tests.support.repo import GitRepo

SECONDS = float(os.environ.get("PLANCTL_STRESS_SOAK", "600"))
SEED = int(os.environ.get("PLANCTL_STRESS_SEED", "6"))
STOPPED = re.compile(
    r"No space left|disk is full|disk I/O error|Read-only|readonly|unable to open|(cannot|may not) be written"
    r"|couldn't write|unable to (write|create)|failed to write"
)
"""What a fault may say: the disk's own words, and git's, which often keeps those to itself."""
NOTHING = re.compile("no run was interrupted")
"""What a ``resume`` may say."""
BORNE = ("clock-behind", "clock-jumped", "disk-low", "rescue-waiting")
"""What a doctor may still find: a clock that jumped, a small disk, kept work that a person may look at."""
SWEEPS = 3
RETRIES = 3
LONG = 600


@pytest.fixture
def may_be_small(tmp_path: Path) -> Iterator[tuple[Path, Path | None]]:
    """Where the repository is to be, and the small file system that holds it, where one can be mounted."""
    try:
        with small_disk(tmp_path / "disk", mib=96) as disk:
            yield disk / "repo", disk
    except pytest.skip.Exception:
        yield tmp_path / "repo", None


def let_work(world: World, agents: int, seconds: float, seed: int) -> Counter[str]:
    """Agents at work amid trouble for so long, a kill at least; then all end what they are doing."""
    over = threading.Event()
    troubles = Troubles(world, random.Random(seed), over)
    beside = threading.Thread(target=troubles)
    beside.start()
    until = time.monotonic() + seconds
    try:
        while beside.is_alive() and (time.monotonic() < until or not troubles.has_killed()):
            world.tend(agents)
            over.wait(0.2)
    except BaseException:
        world.kill_all()
        raise
    finally:
        over.set()
        beside.join()
    world.end(patience=600)
    assert troubles.has_killed()
    return troubles.made


def accepted(acts: list[dict[str, Any]]) -> list[str]:
    """The branches that planctl said it has queued, or landed."""
    done = [act["words"] for act in acts if act["code"] == 0]
    queued = {words[2] for words in done if words[:2] == ["queue", "add"]}
    return sorted(queued | {words[1] for words in done if words[0] == "merge"})


def require_swept(repo: GitRepo) -> None:
    """A watchdog alone gives back all that the dead held; no person is needed for that."""
    swept = [run("watchdog", "--once", cwd=repo.path, timeout=600)]
    while swept[-1].code == 1 and len(swept) < SWEEPS:
        swept.append(run("watchdog", "--once", cwd=repo.path, timeout=600))
    assert swept[-1].code == 0, "\n".join(done.out + done.err for done in swept)
    assert held(repo) == []


def put_right(repo: GitRepo, branches: list[str]) -> None:
    """What a person does in the morning."""
    while begun(repo, RunState.ACTIVE, RunState.INTERRUPTED):
        require_ended(repo, "resume", codes=(0, 1))
    for _ in range(RETRIES):
        retried = require_ended(repo, "retry", "--failed", codes=(0, 1, 2))
        if retried.code == 2:
            assert "nothing has failed" in retried.err
            break
    if names := [*branches, *unfinished(repo)]:  # what was held without a verdict is handed in again
        require_ended(repo, "merge", *names)
    require_ended(repo, "worktree", "prune")  # those of plans that landed after their run had ended
    require_ended(repo, "doctor", "--fix", "--json")
    found = require_ended(repo, "doctor", "--json").data["issues"]
    assert [issue for issue in found if issue["fixable"] or issue["code"] not in BORNE] == []


def require_ended(repo: GitRepo, *words: str, codes: Collection[int] = (0,)) -> Done:
    done = run(*words, cwd=repo.path, timeout=1800)
    assert done.code in codes, f"{words}\n{done.out}{done.err}"
    return done


def begun(repo: GitRepo, *states: RunState) -> list[str]:
    with reading(repo) as store:
        return [one.id for one in store.runs(states)]


def unfinished(repo: GitRepo) -> list[str]:
    """The plans that a run began and that have not landed."""
    with reading(repo) as store:
        return [a.plan for a in store.latest_attempts() if a.state is not AttemptState.LANDED]


def require_clean_words(acts: list[dict[str, Any]]) -> None:
    """Every command ended with a code of the contract; a fault was the disk's, in one line."""
    for act in acts:
        said = f"{act['by']} {act['words']}: {act['code']}\n{act['err']}"
        stays = act["by"].startswith("watchdog ")
        assert act["code"] in ((0, 2, 3, -9, -15, 143) if stays else (0, 1, 2, 3, 4, -9)), said
        assert "Traceback" not in act["err"], said
        assert "unexpected" not in act["err"], said
        if act["code"] in (2, 3):
            assert STOPPED.search(act["err"]) or NOTHING.search(act["err"]), said


def require_landed(repo: GitRepo, branches: list[str]) -> list[str]:
    """Each is on main once, and so is each plan that was begun (returned). Nothing is there twice."""
    log = repo.git("log", "--first-parent", "--diff-merges=first-parent", "--format=", "--name-only", "main")
    brought = Counter(name.removeprefix("done/") for name in log.split() if name.startswith("done/"))
    assert {branch: brought[branch] for branch in branches} == dict.fromkeys(branches, 1)
    assert set(brought.values()) <= {1}
    with reading(repo) as store:
        plans = sorted(attempt.plan for attempt in store.latest_attempts())
    assert sorted(landings(repo)) == plans
    assert [repo.show("main", f"docs/{plan}.md") for plan in plans] == [f"{plan}\n" for plan in plans]
    return plans


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
    require_swept(repo)
    branches = accepted(acts)
    put_right(repo, branches)
    plans = require_landed(repo, branches)
    completed = require_tasks(repo, acts)
    grants = read_grants(world.folder)
    assert faults_of(grants, lambda _, __: True) == []
    require_invariants(repo, world.start)
    assert leftovers(repo) == []
    assert [*(repo.path / ".git/planctl").glob("*.corrupt-*")] == [], "a sound store was set aside"
    assert repo.git("status", "--porcelain") in ("", " M plans/chores.md")
    with reading(repo) as store:
        taken = sum(e.event == "watchdog.took-over" for e in store.events_after(0, limit=1_000_000))
    assert seconds < LONG or min(len(branches), len(plans), completed, len(grants), taken) > 0
    troubles = ", ".join(f"{kind} {count}" for kind, count in sorted(made.items()))
    return (
        f"soak: {agents} sessions, {seconds:.0f} s, {len(acts)} acts, {len(branches)} branches and "
        f"{len(plans)} plans landed once, {completed} tasks, {len(grants)} grants, "
        f"{taken} take-overs; {troubles}"
    )


def world_of(template: Path, folder: Path, places: tuple[Path, Path | None], seed: int) -> World:
    folder.mkdir()
    return World(GitRepo.copy_of(template, places[0]), folder, places[1], seed)


@pytest.mark.timeout(240)
def test_a_short_soak_leaves_nothing_over(
    template: Path, tmp_path: Path, may_be_small: tuple[Path, Path | None], record_property: Record
) -> None:
    world = world_of(template, tmp_path / "notes", may_be_small, seed=3)
    world.prepare(agents=3, branches=4, tasks=8, plans=1)
    record_property("held", soak(world, agents=3, seconds=4, seed=3))


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_eight_sessions_for_ten_minutes(
    template: Path, tmp_path: Path, may_be_small: tuple[Path, Path | None], record_property: Record
) -> None:
    world = world_of(template, tmp_path / "notes", may_be_small, seed=SEED)
    world.prepare(agents=8, branches=40, tasks=150, plans=6)
    record_property("held", soak(world, agents=8, seconds=SECONDS, seed=SEED))
