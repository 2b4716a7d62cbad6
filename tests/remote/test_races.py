"""Others land on the remote meanwhile: nothing lands twice, nobody is blamed, no verdict is thrown away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.merging import remoteepoch
from orchestrator.states import EntryState
from tests.support.process import run
from tests.support.remotes import EPOCH, LANDED, Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from worktrees.push import Answer


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad")


class Before:
    """Does something right before the next push; counts pushes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._push = remoteepoch.push
        self.doing: list[object] = []
        self.answers: list[Answer] = []
        monkeypatch.setattr(remoteepoch, "push", self)

    def __call__(self, *arguments: object) -> Answer:
        if self.doing:
            self.doing.pop(0)()  # type: ignore[operator]
        self.answers.append(self._push(*arguments))  # type: ignore[arg-type]
        return self.answers[-1]


def move_epoch(remote: Remote) -> None:
    blob = remote.bare.git("hash-object", "-w", "--stdin", stdin=f"{remote.references()}\n")
    remote.bare.git("update-ref", EPOCH, blob)


def test_a_landing_of_another_clone_meanwhile_has_it_planned_anew(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    two.branch("plan/b", {"b": "1\n"})
    before = Before(monkeypatch)
    before.doing.append(lambda: merge(two, "plan/b"))
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        assert queue.entry(entry).attempts == 2
        assert [e.data["queued"] for e in queue.events("target.moved")] == [True]
        assert queue.checks_run() == 2, "the tip that the other queue landed is not checked again"
    assert remote.subjects()[:2] == ["Merge branch 'plan/a'", "Merge branch 'plan/b'"]
    assert sorted(remote.landed()) == sorted(remote.keys())


def test_where_only_the_epoch_has_moved_the_verdict_stands(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Before(monkeypatch)
    before.doing += [lambda: move_epoch(remote)] * 3
    with queue_at(remote.clone("one")) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        queue.drain()
        assert queue.entry(entry).attempts == 1
        assert queue.checks_run() == 1
    assert [str(answer.outcome) for answer in before.answers] == ["refused"] * 3 + ["taken"]
    assert list(remote.landed().values()) == [remote.main()]


def test_a_push_by_hand_is_checked_before_more_lands_and_is_nobodys_fault(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    two.commit("by hand", {"bad": "1\n"})
    before = Before(monkeypatch)
    before.doing.append(lambda: remote.push(two, "main"))
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        queue.drain()
        assert queue.entry(entry).state is EntryState.QUEUED
        assert remote.subjects()[0] == "by hand"
        assert [e.data["queued"] for e in queue.events("target.moved")] == [False]
        two.git("rm", "-q", "bad")
        two.commit("mended")
        remote.push(two, "main")
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
    assert remote.subjects()[:2] == ["Merge branch 'plan/a'", "mended"]


def test_what_a_crash_of_the_server_left_of_a_landing_is_taken_over(remote: Remote) -> None:
    """git's files backend renames one reference after the other: the target may be what is missing."""
    one = remote.clone("one")
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        left = remote.bare.git("commit-tree", "-p", "main", "-m", "left", "main^{tree}")
        remote.bare.git("update-ref", f"{LANDED}/plan-a/{entry.id}", left)
        move_epoch(remote)
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
    assert remote.landed() == {entry.id: remote.main()}


def test_landed_by_another_clone_meanwhile(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/a", {"a": "1\n"})
    remote.push(one, "plan/a")
    before = Before(monkeypatch)
    before.doing.append(lambda: merge(two, "plan/a"))
    with queue_at(one) as queue:
        entry = queue.add("plan/a")
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        assert queue.entry(entry).landed_commit == remote.main()
    assert remote.keys() == [entry.id]


def test_a_worker_in_the_bare_repository_itself_makes_the_same_key(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    remote.push(one, "plan/a")

    assert run("merge", "plan/a", cwd=remote.bare.path).code == 0
    main = remote.main()
    done = merge(one, "plan/a", "--json")
    assert [e["state"] for e in done.data["entries"]] == ["landed"]
    assert remote.main() == main
    assert remote.keys() == [done.data["entries"][0]["id"]]


def test_one_head_lands_here_and_then_on_the_remote(remote: Remote) -> None:

    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    assert run("merge", "plan/a", cwd=one.path).code == 0
    assert remote.landed() == {}
    merge(one, "plan/a")
    assert list(remote.landed().values()) == [remote.main()]
    assert json.loads(run("status", "--json", cwd=one.path).out)["queue"] == []
