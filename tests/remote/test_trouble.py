"""A worker's dealings with a remote: when it is looked at, and what is borne with."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.merging import remotewait, upstream
from orchestrator.merging.remotewait import RemoteTrouble, RemoteWait
from orchestrator.merging.tenure import Tenure
from orchestrator.merging.upstream import FRESH
from orchestrator.states import EntryState
from tests.support.clock import FakeClock
from tests.support.remotes import Remote, queue_at, remote_of
from tests.support.repo import GitRepo
from worktrees.remoteerrors import (
    RemoteBranchMissingError,
    RemoteUnreachableError,
    SplitRemoteError,
    UnknownRemoteError,
)

TROUBLE: list[RemoteTrouble] = [
    RemoteUnreachableError("origin", "no route"),
    RemoteUnreachableError("origin", "no right", answers=True),
    RemoteBranchMissingError("origin", "main"),
    UnknownRemoteError("origin", ()),
    SplitRemoteError("origin", 2, 2),
]


@pytest.mark.parametrize("error", TROUBLE, ids=lambda e: f"{type(e).__name__}-{getattr(e, 'answers', '')}")
def test_trouble_that_lasts_is_given_up_only_when_no_plan_is_at_work(
    error: RemoteTrouble, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE", "REFUSING"):
        monkeypatch.setattr(remotewait, name, 0.0)
    with queue_at(remote.clone("one")) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        at_work = True
        wait = RemoteWait(queue.bench, threading.Event(), lambda: at_work)
        assert wait.bear(error)
        assert not wait.bear(error), "it is told once"
        assert queue.entry(entry).reason["detail"] == str(error)
        at_work = False
        with pytest.raises(type(error)):
            wait.bear(error)


def test_what_landed_just_now_was_looked_at_just_now(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, clock = list[bool](), FakeClock()
    with queue_at(remote.clone("one")) as queue:
        monkeypatch.setattr(upstream, "refresh", lambda *_, **__: looks.append(True))
        entry = queue.work("plan/a", {"a": "1\n"})
        lease = queue.session.hold(f"queue:{queue.bench.target}", "test")
        tenure = Tenure(replace(queue.bench, clock=clock), lease, "")
        wait = RemoteWait(tenure.bench, threading.Event())
        wait.look(tenure, idle=False)
        clock.advance(2 * FRESH)  # its check took so long
        wait.processed(tenure, (entry,))
        wait.look(tenure, idle=False)
        assert len(looks) == 2, "it has not landed: who knows why"
        clock.advance(2 * FRESH)
        queue.session.release(lease)
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        looks.clear()
        wait.processed(tenure, (entry,))
        wait.look(tenure, idle=False)
        assert not looks, "a landing ends with a look of its own"
        clock.advance(2 * FRESH)
        wait.look(tenure, idle=False)
        assert len(looks) == 1


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there")
