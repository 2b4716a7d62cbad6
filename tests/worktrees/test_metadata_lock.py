"""The lock on git's list of worktrees: whoever waits for it learns who has it, and does not wait for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.repo import GitRepo
from worktrees import metadata_lock
from worktrees.metadata_lock import MetadataLockedError
from worktrees.repository import find

_HOLD = """
import sys
from pathlib import Path
from worktrees.metadata_lock import metadata_lock
from worktrees.repository import find
sys.argv[0] = "/usr/bin/planctl"
with metadata_lock(find(Path(sys.argv.pop(1)))):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def stopped(repo: GitRepo) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock and is stopped."""
    argv = [sys.executable, "-c", _HOLD, str(repo.path), "run-multi", "api", "--", "secret"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        yield holder
        holder.kill()


def test_l4_who_waits_behind_a_stopped_holder_is_told_who_that_is(
    repo: GitRepo, stopped: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_lock, "PATIENCE", 0.05)
    with pytest.raises(MetadataLockedError) as caught, metadata_lock.metadata_lock(find(repo.path)):
        pass
    assert (caught.value.pid, caught.value.command) == (stopped.pid, "planctl run-multi api")
    stopped.send_signal(signal.SIGCONT)
    stopped.communicate("\n")
    with metadata_lock.metadata_lock(find(repo.path)) as held:
        assert held


def test_l4_a_killed_holder_keeps_nobody_waiting(repo: GitRepo, stopped: subprocess.Popen[str]) -> None:
    stopped.kill()
    stopped.wait()
    with metadata_lock.metadata_lock(find(repo.path)):
        signed = (repo.path / ".git" / "planctl" / "worktrees.lock").read_text(encoding="ascii")
    assert f'"pid": {os.getpid()}' in signed


def test_l4_patience_counts_anew_for_each_holder(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen turns of others, each shorter than the patience and together longer, are waited for."""
    monkeypatch.setattr(metadata_lock, "PATIENCE", 0.01)
    turns = iter([False] * 16)
    path = repo.write(".git/planctl/worktrees.lock", "")

    def taken(_lock: object, **_: object) -> bool:
        path.write_text(os.urandom(4).hex())
        return next(turns, True)

    monkeypatch.setattr(metadata_lock.systems, "lock", taken)
    with metadata_lock.metadata_lock(find(repo.path)) as held:
        assert held
