"""What a resumed run takes over: only stages that were begun, also when it comes at once."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from orchestrator.running import supervision, waiting
from orchestrator.running.spec import Supervised
from orchestrator.scheduling.adopt import adopt_attempt
from orchestrator.scheduling.launching import record_dir
from orchestrator.states import AttemptState
from plans.document import read_plan
from tests.support.commands import commands_in
from tests.support.faces import bench_at
from tests.support.records import a_run, an_attempt
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="supervisors are POSIX so far")
PLAN = b"""---
plan: api
phases:
  - {name: "1", run: "true"}
  - {name: "2", run: "true"}
---
# api

## Phase 1: first

## Phase 2: second
"""


def test_a_stage_whose_supervisor_has_not_yet_seen_its_launcher_die_is_not_taken_over(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for the one at work it would be lost a moment later, and the phase before it run again."""
    plan = read_plan(Path("plans/api.md"), PLAN).plan
    assert plan is not None
    with bench_at(repo) as (bench, _), commands_in(tmp_path) as commands, contextlib.ExitStack() as launcher:
        bench.store.add_run(a_run())
        known = {"state": AttemptState.RUNNING, "supervisor": "a1-0"}
        bench.store.add_attempt(attempt := an_attempt(**known))
        folder = record_dir(bench, "a1-1")
        folder.mkdir(parents=True)
        spec = commands.spec("true", attempt="a1-1", record_dir=folder)
        process, ready = launcher.enter_context(supervision._supervisor(spec))
        assert process.stdin is not None
        supervision._say(process.stdin.fileno(), supervision._orders(spec))
        assert os.read(ready, 6) == b"ready\n"
        look, looks = waiting._waits_for_the_word, []

        def looked(handle: Supervised) -> bool:
            looks.append(look(handle))
            launcher.close()
            assert process.wait(60) == 0
            return looks[-1]

        monkeypatch.setattr(waiting, "_waits_for_the_word", looked)
        adopt_attempt(bench, attempt, plan)
        assert looks == [True]
        now = bench.store.attempt("a1")
        assert now is not None
        assert (now.state, now.supervisor) == (AttemptState.RUNNING, "a1-0")
