"""Over real protocols, with pushes cut in the middle: the outcome is told by looking."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.states import EntryState, IntentState
from tests.support.remotes import Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from tests.support.servers import HOST, Cutter, git_daemon, http_backend
from tests.support.slices import mostly


@contextlib.contextmanager
def served(kind: str, repo: GitRepo, folder: Path, **keys: object) -> Iterator[tuple[Remote, Cutter]]:
    """The remote behind a server of this kind, behind a proxy."""
    serve = {"git": git_daemon, "http": http_backend}[kind]
    with serve(folder) as port, Cutter(port).listening() as cutter:
        url = f"{kind}://{HOST}:{cutter.port}/origin.git"
        remote = remote_of(repo, folder, url, check="test ! -e bad", **keys)
        remote.bare.git("config", "http.receivepack", "true")
        yield remote, cutter


@pytest.mark.parametrize("kind", ["git", "http"])
def test_p22_work_lands_over_a_real_protocol(kind: str, repo: GitRepo, tmp_path: Path) -> None:
    with served(kind, repo, tmp_path / "there") as (remote, _):
        clone = remote.clone("one")
        clone.branch("plan/a", {"a": "1\n" * 1000})
        clone.branch("plan/b", {"b": "1\n"})
        assert "2 of 2 landed" in merge(clone, "plan/a", "plan/b").err
        assert len(remote.landed()) == len(remote.keys()) == 2
        assert clone.git("for-each-ref", "refs/remotes/origin/main") != remote.main()


CUTS = [(kind, plan) for kind in ("git", "http") for plan in ("before", "after", "before before after")]


@pytest.mark.parametrize(
    ("kind", "plan"), mostly(CUTS, [("git", "before"), ("git", "after"), ("http", "after")]), ids=str
)
def test_s4_a_push_that_is_cut_has_landed_or_not_and_planctl_finds_out(
    kind: str, plan: str, repo: GitRepo, tmp_path: Path
) -> None:
    with served(kind, repo, tmp_path / "there") as (remote, cutter):
        clone = remote.clone("one")
        with queue_at(clone) as queue:
            entry = queue.work("plan/a", {"a": "1\n"})
            cutter.plan = plan.split()
            queue.drain()
            assert cutter.cut == plan.split()
            assert queue.entry(entry).state is EntryState.LANDED
            assert queue.checks_run() == 1, "a cut blames nobody and costs no check"
            assert not queue.bench.store.intents({IntentState.OPEN})
        assert remote.landed() == {entry.id: remote.main()}
        assert remote.keys() == [entry.id]


def test_s7_a_push_that_the_server_would_take_after_its_time_is_refused(
    repo: GitRepo, tmp_path: Path
) -> None:
    """The client has given up; the hook of the server still runs, and what it lets pass then is too late."""
    go = tmp_path / "go"
    with served("git", repo, tmp_path / "there", remote_timeout=2) as (remote, _):
        os.mkfifo(go)
        remote.hook(
            f'names="$(cat)"; case "$names" in *refs/heads/main*) if mkdir {tmp_path}/once 2>/dev/null; then '
            f"trap '' HUP PIPE TERM; read line < {go}; fi;; esac; exit 0"
        )
        clone = remote.clone("one")
        with queue_at(clone) as queue:
            entry = queue.work("plan/a", {"a": "1\n"})
            queue.drain()
            assert (tmp_path / "once").exists()
            assert queue.entry(entry).state is EntryState.LANDED
            assert queue.checks_run() == 1
        seen = remote.references()
        go.write_text("go\n")
    # the server has ended by now: its threads are waited for
    assert remote.references() == seen
    assert remote.keys() == [entry.id]
