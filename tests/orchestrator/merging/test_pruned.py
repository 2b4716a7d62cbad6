"""S15: what an entry needs has a reference of planctl's own, whatever users delete and prune beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.merging import making
from orchestrator.merging.apart import same_work
from orchestrator.merging.tenure import Tenure
from orchestrator.services.enqueue import bring_branches
from orchestrator.states import EntryState
from orchestrator.submitting.key import HEADS, batch_reference, head_reference
from tests.support.mending import conflict
from tests.support.process import run
from tests.support.queues import Queue, configure, queue_of, require_sound
from tests.support.remotes import queue_at, remote_of
from tests.support.repo import GitRepo
from worktrees.candidate import Candidate
from worktrees.references import Change


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


def pruned(repo: GitRepo) -> None:
    repo.git("reflog", "expire", "--expire=all", "--all")
    repo.git("gc", "-q", "--prune=now")


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_s15_the_branch_of_an_entry_may_be_deleted_and_pruned(queue: Queue, method: str) -> None:
    one = queue.work("one", {"one": "1\n"}, method=method)
    queue.repo.git("branch", "-D", "one")
    pruned(queue.repo)
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED
    assert queue.bench.references.list(f"{HEADS}/") == {}


def test_s15_a_branch_may_be_deleted_on_the_remote_that_alone_had_it(repo: GitRepo, tmp_path: Path) -> None:
    remote = remote_of(repo, tmp_path / "there", check="test ! -e bad")
    one, two = remote.clone("one"), remote.clone("two")
    two.branch("fix", {"f": "1\n"})
    remote.push(two, "fix")
    with queue_at(one) as queue:
        bring_branches(queue.bench, ["fix"])
        entry = queue.add("fix")
        remote.bare.git("branch", "-D", "fix")
        bring_branches(queue.bench, ["fix"])
        pruned(one)
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
    require_sound(one)


def test_s15_work_that_was_taken_out_and_handed_in_again_is_kept_anew(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    bad = queue.work("bad", {"bad": "1\n"})
    queue.drain()
    assert queue.entry(bad).state is EntryState.REJECTED
    assert queue.bench.references.read(head_reference(bad.id)) is None
    queue.add("bad")
    assert queue.bench.references.read(head_reference(bad.id)) == bad.head
    queue.repo.git("update-ref", "-d", head_reference(bad.id))
    configure(queue.repo, check="'true'")
    queue.drain()
    assert queue.entry(bad).state is EntryState.LANDED


def test_s15_work_that_is_handed_in_again_while_its_head_is_let_go_is_kept(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reference is there when it is handed in, and is on the list of those that go."""
    configure(queue.repo, check="test ! -e bad")
    bad = queue.work("bad", {"bad": "1\n"})
    transact = Tenure.transact

    def beside(self: Tenure, changes: Sequence[Change], *, message: str, step: str) -> None:
        if step == "candidate.forget" and not queue.cancel.is_set():
            queue.cancel.set()
            queue.add("bad")
        transact(self, changes, message=message, step=step)

    monkeypatch.setattr(Tenure, "transact", beside)
    queue.drain()
    assert queue.entry(bad).state is EntryState.QUEUED
    assert queue.bench.references.read(head_reference(bad.id)) == bad.head


def test_s15_what_a_resolver_is_to_have_stays(queue: Queue) -> None:
    two = conflict(queue, "exit 1")
    queue.repo.git("branch", "-D", "two")
    pruned(queue.repo)
    assert queue.repo.git("cat-file", "-t", two.head) == "commit"


@pytest.mark.parametrize("size", [1, 2])
def test_s15_a_candidate_that_is_pruned_before_it_has_a_name_is_made_anew(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    made, seen = making.make_candidate, list[str]()

    def then_pruned(*arguments: Any, **options: Any) -> Any:
        candidate = made(*arguments, **options)
        if len(seen) < size:
            seen.append(candidate.commit)
            commit = queue.repo.path / ".git/objects" / candidate.commit[:2] / candidate.commit[2:]
            commit.unlink(missing_ok=True)
        return candidate

    entries = [queue.work(f"b{n}", {f"f{n}": "1\n"}) for n in range(size)]
    monkeypatch.setattr(making, "make_candidate", then_pruned)
    queue.drain()
    assert len(seen) == size
    assert {queue.entry(entry).state for entry in entries} == {EntryState.LANDED}


@pytest.mark.parametrize("back", ["main~1", "main~2"])
def test_s4_killed_at_work_that_was_there_already_and_then_the_target_is_reset_and_pruned(
    repo: GitRepo, back: str
) -> None:
    """The commit that the intent speaks of has no name but the target's."""
    with queue_of(repo) as queue:
        one = queue.work("one", {"one": "1\n"})
        repo.git("merge", "-q", "--ff-only", "one")
        repo.commit("outside", {"outside": "1\n"})
    killed = run("queue", "run", "--once", cwd=repo.path, env={"PLANCTL_KILL_AT": "landing.refs:after"})
    assert killed.code == -9, killed
    outside = repo.head("main")
    repo.git("reset", "-q", "--hard", back)
    repo.git("branch", "-D", "one")
    pruned(repo)
    assert "fatal" in repo.said("cat-file", "-t", outside)
    with queue_of(repo) as queue:
        queue.drain()
        entry = queue.entry(one)
        assert entry.state is EntryState.LANDED
        assert repo.show("main", "one") == "1\n"
        assert repo.git("merge-base", "--is-ancestor", str(entry.landed_commit), "main") == ""
    require_sound(repo)


def test_s13_what_a_pruned_candidate_was_checked_for_says_nothing(queue: Queue) -> None:
    commit = queue.repo.branch("one", {"one": "1\n"})
    gone = "0123456789" * 4
    candidate = Candidate(commit, queue.repo.head("one^{tree}"), (commit,))
    assert same_work(queue.bench.objects, candidate, queue.main(), candidate)
    assert not same_work(queue.bench.objects, Candidate(gone, gone, (gone,)), queue.main(), candidate)


def test_the_candidate_of_a_batch_is_not_lonely(repo: GitRepo) -> None:
    with queue_of(repo) as queue:
        one = queue.work("one", {"one": "1\n"})
    repo.git("update-ref", batch_reference(one.id), one.head)
    repo.git("update-ref", head_reference("f" * 20), one.head)
    found = run("doctor", "--json", cwd=repo.path).data["issues"]
    lonely = [issue["subject"] for issue in found if issue["code"] == "candidate-without-entry"]
    assert lonely == [head_reference("f" * 20)]
