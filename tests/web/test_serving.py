"""What becomes of a server one half of which has failed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.errors import StoreUnusableError
from orchestrator.web import serving
from orchestrator.web.place import Wish
from tests.support.repo import GitRepo
from worktrees.repository import find


def test_a_server_whose_watchdog_fails_ends_with_its_error(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not with exit 0, as if it had been asked to end: its manager would not begin it anew."""

    def broken() -> None:
        raise StoreUnusableError(Path("state.db"), "the disk is gone")

    monkeypatch.setattr(serving, "thread_store", lambda _repository: broken)
    voice = serving.Voice(lambda *_: None, pytest.fail, pytest.fail, pytest.fail)
    ended = threading.Event()
    with pytest.raises(StoreUnusableError, match="the disk is gone"):
        serving.serve(find(repo.path), Wish("127.0.0.1", 0), ended, voice)
    assert ended.is_set()
