"""Who goes on with a run that was interrupted: one process, whatever others note of the run meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from orchestrator.errors import BusyError
from orchestrator.services.resuming import interrupted_run, take_over
from orchestrator.services.watchdog.mending import mend
from orchestrator.sessions.identity import started
from orchestrator.sessions.registry import SessionHandle
from orchestrator.states import RunState
from orchestrator.workbench import Workbench
from tests.support.faces import add_session, bench_at
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="supervisors are POSIX so far")


@pytest.fixture
def resuming(repo: GitRepo) -> Iterator[tuple[Workbench, SessionHandle]]:
    """At work beside a run whose planctl was killed before its command began."""
    commit_plans(repo, {"a": {"run": "true"}})
    killed = run("run-multi", "a", cwd=repo.path, env={"PLANCTL_KILL_AT": "running.launch:before"})
    assert killed.code == -signal.SIGKILL, killed.err
    with bench_at(repo) as pair:
        yield pair


def test_a_watchdog_that_notes_meanwhile_that_nobody_conducts_it_is_in_nobodys_way(
    resuming: tuple[Workbench, SessionHandle],
) -> None:
    bench, session = resuming
    found = interrupted_run(bench, None)
    assert found.state is RunState.ACTIVE
    assert "run-abandoned" in [done.code for done in mend(bench, session, lambda: None)]
    taken, _ = take_over(bench, found)
    assert (taken.state, taken.session) == (RunState.ACTIVE, session.id)
    assert bench.store.run(found.id) == taken


@pytest.mark.parametrize("state", [RunState.ACTIVE, RunState.FINISHED])
def test_another_that_was_faster_has_it(resuming: tuple[Workbench, SessionHandle], state: RunState) -> None:
    bench, _ = resuming
    found = interrupted_run(bench, None)
    add_session(bench.store, "faster", os.getpid(), started(os.getpid()) or 0.0)
    noted = bench.store.move_run(found, RunState.INTERRUPTED)
    noted = bench.store.move_run(noted, RunState.ACTIVE, session="faster")
    if state is RunState.FINISHED:
        noted = bench.store.move_run(noted, RunState.FINISHED)
    with pytest.raises(BusyError, match="another process that goes on with it"):
        take_over(bench, found)
    assert bench.store.run(found.id) == noted
