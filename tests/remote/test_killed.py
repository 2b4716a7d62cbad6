"""Killed at any moment of a landing on a remote: the next worker finds out, and it is there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.states import EntryState, IntentState
from tests.support.process import run
from tests.support.queues import require_sound
from tests.support.remotes import Remote, queue_at, remote_of
from tests.support.repo import GitRepo
from tests.support.slices import mostly

STEPS = ("remote.fetch", "remote.epoch", "remote.push", "remote.follow")
MOMENTS = [(step, side) for step in STEPS for side in ("before", "after")]
OFTEN = [("remote.push", "before"), ("remote.push", "after"), ("remote.follow", "after")]


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad", remote="origin")


@pytest.mark.parametrize(("step", "side"), mostly(MOMENTS, OFTEN), ids=str)
def test_s4_killed_around_a_push_it_lands_once(remote: Remote, step: str, side: str) -> None:
    one = remote.clone("one")
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
    one.git(
        "update-ref", "-d", "refs/planctl/remote/origin/heads/main"
    )  # so that there is something to fetch
    killed = run("queue", "run", "--once", cwd=one.path, env={"PLANCTL_KILL_AT": f"{step}:{side}"})
    assert killed.code == -9, killed.err
    assert run("queue", "run", "--once", cwd=one.path).code == 0
    with queue_at(one) as queue:
        assert queue.entry(entry).state is EntryState.LANDED
        assert queue.entry(entry).landed_commit == remote.main()
        assert not queue.bench.store.intents({IntentState.OPEN})
    assert remote.landed() == {entry.id: remote.main()}
    assert remote.keys() == [entry.id]
    require_sound(one)
