"""S7 on a remote: a worker that was stopped, lost its lease and wakes up changes nothing there."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from orchestrator.services import queue as service
from orchestrator.states import EntryState, IntentState
from tests.support.fenced import First, Gate, lose_lease
from tests.support.process import end_of, run, start
from tests.support.remotes import Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from tests.support.slices import seldom
from worktrees import fetch, push, references

GATES = [
    ("remote.push", "before"),
    ("remote.push", "after"),
    ("remote.follow", "before"),
    ("remote.fetch", "before"),
    ("candidate.keep", "after"),
]


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test -e README.md")


@pytest.mark.parametrize(("step", "side"), GATES[:3] + GATES[4:], ids=str)
@pytest.mark.parametrize("elsewhere", [*seldom(False), True], ids=["same-clone", "and-another"])
def test_s7_a_worker_that_lost_its_lease_changes_nothing_on_the_remote(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, step: str, side: str, elsewhere: bool
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    gate = Gate(step, side)
    monkeypatch.setattr(fetch, "PATIENCE", 0.2)
    for module, name in ((push, "step"), (fetch, "step"), (references, "effects_step")):
        monkeypatch.setattr(module, name, gate.passing)
    with queue_at(one) as queue:
        first = queue.work("plan/a", {"a": "1\n"})
        second = queue.work("plan/b", {"b": "1\n"})
        with First(partial(queue_at, one), gate):
            lose_lease(queue)
            if elsewhere:
                two.branch("plan/c", {"c": "1\n"})
                merge(two, "plan/c")
            queue.drain()
            seen = remote.references()
            assert queue.states() == {"plan/a": "landed", "plan/b": "landed"}
        assert remote.references() == seen, "it woke up, and moved nothing there"
        assert not queue.bench.store.intents({IntentState.OPEN})
        assert {queue.entry(e).state for e in (first, second)} == {EntryState.LANDED}
    assert sorted(remote.keys()) == sorted(remote.landed())
    assert len(remote.keys()) == 2 + elsewhere


def wrapped_git(folder: Path) -> dict[str, str]:
    """A ``git`` that, at the first push, stops the planctl that called it, and itself waits to be let go."""
    git = shutil.which("git")
    assert git
    folder.mkdir()
    for name in ("stopped", "go"):
        os.mkfifo(folder / name)
    place = shlex.quote(str(folder))
    script = (
        "#!/bin/sh\n"
        f'case " $* " in *" push "*)\n'
        f"  if mkdir {place}/once 2>/dev/null; then\n"
        f"    kill -STOP $PPID; echo $PPID > {place}/stopped; read line < {place}/go\n"
        "  fi;;\nesac\n"
        f'exec {shlex.quote(git)} "$@"\n'
    )
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_s7_a_sigstopped_process_wakes_up_after_others_landed(remote: Remote, tmp_path: Path) -> None:
    """Done when 3, remotely: the process and its push are stopped with everything checked and decided."""
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/a", {"a": "1\n"})
    two.branch("plan/b", {"b": "1\n"})
    bin_ = tmp_path / "bin"
    stopped = start("merge", "plan/a", "--remote", "origin", cwd=one.path, env=wrapped_git(bin_))
    pid = int((bin_ / "stopped").read_text())
    assert pid == stopped.pid
    with queue_at(one) as queue:
        lose_lease(queue)
        queue.drain()
        assert queue.states() == {"plan/a": "landed"}
    merge(two, "plan/b")
    seen = remote.references()
    (bin_ / "go").write_text("go\n")
    os.kill(pid, signal.SIGCONT)
    done = end_of(stopped)
    assert remote.references() == seen
    assert done.code == 0, "what it was to land has landed, by another"
    assert len(remote.keys()) == 2
    assert run("doctor", cwd=one.path).code == 0


def test_s7_a_landing_that_was_taken_back_is_not_made_when_its_worker_wakes_up(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else lands: the target is where the stopped one expects it, and only the epoch is not."""
    one = remote.clone("one")
    merge(one, "--branches", "nothing/*")
    gate = Gate("remote.push", "before")
    monkeypatch.setattr(push, "step", gate.passing)
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        main = remote.main()
        with First(partial(queue_at, one), gate):
            lose_lease(queue)
            service.pause(queue.bench, "to see what it does")
            queue.drain()
            assert queue.entry(entry).state is EntryState.QUEUED
            assert not queue.bench.store.intents({IntentState.OPEN})
            seen = remote.references()
        assert remote.references() == seen
        assert remote.main() == main
        service.resume(queue.bench)
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
    assert remote.keys() == [entry.id]
