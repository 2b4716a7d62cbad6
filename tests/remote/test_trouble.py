"""A remote's trouble while plans are at work: what keeps them from landing does not end them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.merging import remotewait
from orchestrator.merging.remotewait import RemoteTrouble, RemoteWait
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


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there")
