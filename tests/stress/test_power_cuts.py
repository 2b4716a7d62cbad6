"""A power cut at any moment of a run: what was not synced is lost, and yet nothing is corrupt or done twice.

Lost are contents, in git's folder, the pool and planctl's own state; the files of the user's checkout are
git's own business. What was said to be landed is still there.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from orchestrator.states import SlotState
from tests.stress.test_failing_disks import PLANS, go_on_to_the_end, made, moments
from tests.support.campaigns import Record
from tests.support.gates import store_of
from tests.support.plans import landings
from tests.support.powercut import COMPILER, Recorder, kill_all
from tests.support.process import run
from tests.support.repo import GitRepo

needs_compiler = pytest.mark.skipif(
    COMPILER is None, reason="syncs are recorded by a library made by cc, on Linux"
)


def cut_and_go_on(repo: GitRepo, recorder: Recorder, moment: int) -> int:
    """Returns how many files lost something."""
    at, pool = f"cut at {moment}", repo.path.with_name(f"{repo.path.name}.worktrees")
    recorder.begin(repo.path / ".git")
    kill = {"PLANCTL_KILL_AT": f"*:{moment}"}
    done = run("run-multi", *PLANS, "-j", "2", "--json", cwd=repo.path, env={**recorder.environment, **kill})
    assert done.code in (0, -signal.SIGKILL), done.err
    kill_all(repo)
    said = {e["plan"] for e in done.events if e["event"] == "plan.landed"}
    lost = recorder.cut(repo.path / ".git", pool, Path(os.environ["XDG_STATE_HOME"]))
    assert said <= set(landings(repo)), f"{at}: {said} were said to be landed"
    reboot(repo)
    said_so = f"{at}\n{done.out}{done.err}\n" + "\n".join(map(str, lost))
    go_on_to_the_end(repo, said_so, lambda: move_out(repo))
    return len(lost)


def move_out(repo: GitRepo) -> None:
    """What a person does about worktrees whose metadata git had not synced; ``doctor`` names them."""
    with store_of(repo) as store:
        left = store.slots(states={SlotState.QUARANTINED})
    named = {i["subject"] for i in run("doctor", "--json", cwd=repo.path).data["issues"]}
    assert {slot.name for slot in left} <= named
    for slot in left:
        shutil.rmtree(slot.path)
        shutil.rmtree(repo.path / ".git/worktrees" / slot.name)


def reboot(repo: GitRepo) -> None:
    """The machine has another boot id now: the store was last opened in an earlier one."""
    path = repo.path / ".git/planctl/state.db"
    if path.exists() and path.stat().st_size:
        made = contextlib.suppress(sqlite3.OperationalError)  # cut before it had its tables
        with contextlib.closing(sqlite3.connect(path)) as store, store, made:
            store.execute("UPDATE meta SET value = 'the boot before' WHERE key = 'boot'")


def campaign(template: Path, tmp_path: Path, cases: list[int]) -> str:
    lost = 0
    for number, moment in enumerate(cases):
        recorder = Recorder(tmp_path / f"recorder-{number}")
        lost += cut_and_go_on(made(template, tmp_path / f"cut-{number}"), recorder, moment)
    return f"{len(cases)} power cuts, {lost} files lost something: landed once, nothing corrupt"


@needs_compiler
@pytest.mark.timeout(300)
def test_a_run_goes_on_after_a_power_cut(template: Path, tmp_path: Path) -> None:
    campaign(template, tmp_path, [230])


@needs_compiler
@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(4))
def test_60_power_cuts(template: Path, tmp_path: Path, record_property: Record, seed: int) -> None:
    total = moments(made(template, tmp_path / "whole"), tmp_path / "trace")
    chosen = random.Random(20261125 + seed)
    record_property("held", campaign(template, tmp_path, [chosen.randint(20, total) for _ in range(15)]))
