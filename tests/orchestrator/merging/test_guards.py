"""Each guard of a landing by itself: what it keeps from happening (see docs/guards.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import FencePassedError, LeaseLostError
from orchestrator.merging import making
from orchestrator.merging.postcheck import flaw
from orchestrator.merging.takeover import take_over
from orchestrator.states import EntryState, IntentState
from orchestrator.submitting.key import batch_reference, candidate_reference, landed_reference
from orchestrator.submitting.standstill import PAUSED, noted
from tests.support.nursery import Nursery, nursery_in, only_where_processes_fork
from tests.support.queues import MAIN, Queue, configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from worktrees.references import Change, Create, References

LEASE = f"queue:{MAIN}"


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    with nursery_in(tmp_path) as nursery:
        yield nursery


def transacting(monkeypatch: pytest.MonkeyPatch, then: Any) -> None:
    """Have ``then`` done right after each landing's reference transaction."""
    made = References.transact

    def and_then(self: References, changes: Sequence[Change], *, message: str, step: str) -> None:
        made(self, changes, message=message, step=step)
        if step == "landing.refs":
            then()

    monkeypatch.setattr(References, "transact", and_then)


# -- the lease's token and the epoch -------------------------------------------------------------------


def test_s7_a_tenure_whose_lease_another_session_has_writes_nothing(queue: Queue) -> None:
    entry = queue.work("one", {"one": "1\n"})
    first = take_over(queue.bench, queue.session.hold(LEASE))
    queue.bench.store.release(first.lease.grant)
    with queue_of(queue.repo) as other:
        second = take_over(other.bench, other.session.hold(LEASE))
        with pytest.raises(LeaseLostError):
            first.settle(entry, EntryState.REJECTED, reason={"code": "red"})
        with pytest.raises(FencePassedError):
            first.transact([Create("refs/planctl/x", queue.main())], message="x", step="test.refs")
        assert queue.entry(entry) == entry
        assert queue.bench.references.read("refs/planctl/x") is None
        second.settle(entry, EntryState.REJECTED, reason={"code": "red"})
    assert queue.entry(entry).state is EntryState.REJECTED


def test_s7_an_earlier_tenure_of_the_same_session_writes_nothing(queue: Queue) -> None:
    entry = queue.work("one", {"one": "1\n"})
    first = take_over(queue.bench, queue.session.hold(LEASE))
    queue.session.release(first.lease)
    second = take_over(queue.bench, queue.session.hold(LEASE))
    assert second.epoch != first.epoch
    with pytest.raises(LeaseLostError):
        first.settle(entry, EntryState.REJECTED, reason={"code": "red"})
    with pytest.raises(FencePassedError):
        first.transact([Create("refs/planctl/x", queue.main())], message="x", step="test.refs")
    assert queue.entry(entry) == entry
    second.settle(entry, EntryState.REJECTED, reason={"code": "red"})


# -- the landed reference ------------------------------------------------------------------------------


def test_s4_what_has_landed_is_not_landed_again_whatever_became_of_it_since(queue: Queue) -> None:
    """Squashed and then undone by somebody: nothing but its landed reference says that it was there."""
    one = queue.work("one", {"src/a.py": "one\n"}, method="squash")
    queue.drain()
    landed = queue.entry(one)
    queue.repo.git("revert", "--no-edit", "HEAD")
    queue.bench.store.move_entry(landed, EntryState.QUEUED)
    queue.worker().drain(lambda idle: idle or queue.entry(one).attempts > landed.attempts + 1)
    again = queue.entry(one)
    assert (again.state, again.landed_commit) == (EntryState.LANDED, landed.landed_commit)
    assert landed_once(queue.repo, one.id) == landed.landed_commit
    assert queue.repo.show("main", "src/a.py").startswith("a1 = 1\n")


@only_where_processes_fork
def test_s5_a_landing_of_which_only_the_first_reference_moved_is_made_whole(
    repo: GitRepo, nursery: Nursery
) -> None:
    """As when git dies between its renames: the landed reference is there, main is where it was."""
    repo.branch("one", {"one": "1\n"})
    with queue_of(repo) as queue:
        entry, old = queue.add("one"), queue.main()
        killed = nursery.start(repo, "landing.refs:before:1")
        assert killed.wait()
        (intent,) = queue.bench.store.intents({IntentState.OPEN})
        repo.git("update-ref", landed_reference(queue.bench.landed, "one", entry.id), intent.new)
        assert queue.main() == old
        nursery.drain(repo)
        assert queue.entry(entry).state is EntryState.LANDED
        assert landed_once(repo, entry.id) == queue.main() != old
        assert noted(queue.bench.store, MAIN, PAUSED) is None
    require_sound(repo)


# -- candidates and the post-check ---------------------------------------------------------------------


@only_where_processes_fork
def test_s15_a_candidate_is_kept_by_a_reference_before_it_is_checked(repo: GitRepo, nursery: Nursery) -> None:
    configure(repo, check="test -e README.md")
    repo.branch("one", {"one": "1\n"})
    with queue_of(repo) as queue:
        entry = queue.add("one")
        killed = nursery.start(repo, "provision.checkout:before:1")
        assert killed.wait()
        checked = queue.entry(entry)
        assert checked.state is EntryState.CHECKING
        assert queue.bench.references.read(candidate_reference(entry.id)) == checked.candidate
        repo.git("gc", "-q", "--prune=now")
        assert repo.git("cat-file", "-t", str(checked.candidate)) == "commit"
        nursery.drain(repo)
        assert queue.entry(entry).state is EntryState.LANDED
    require_sound(repo)


@only_where_processes_fork
def test_s15_the_commits_of_a_batch_are_kept_by_references_before_it_is_checked(
    repo: GitRepo, nursery: Nursery
) -> None:
    """Those of its members, which landed references will name, and the one that is checked."""
    configure(repo, check="test -e README.md", queue="batch")
    with queue_of(repo) as queue:
        entries = [queue.work(name, {name: "1\n"}) for name in ("one", "two", "three")]
        killed = nursery.start(repo, "provision.checkout:before:1")
        assert killed.wait()
        checked = [queue.entry(entry) for entry in entries]
        assert [entry.state for entry in checked] == [EntryState.CHECKING] * 3
        kept = {queue.bench.references.read(candidate_reference(entry.id)) for entry in entries}
        assert kept == {entry.candidate for entry in checked}
        assert len(kept) == 3
        over = queue.bench.references.read(batch_reference(entries[0].id))
        assert over is not None
        assert repo.head(f"{over}^2") == checked[-1].candidate
        repo.git("gc", "-q", "--prune=now")
        assert repo.git("rev-parse", f"{over}^{{commit}}") == over
        nursery.drain(repo)
        assert set(queue.states().values()) == {"landed"}
    require_sound(repo)


def test_s15_a_candidate_of_which_a_content_was_pruned_is_held(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = queue.work("one", {"one": "1\n"})
    blob = queue.repo.head("one:one")
    path = queue.repo.path / ".git/objects" / blob[:2] / blob[2:]
    kept, made = path.read_bytes(), making.make_candidate

    def then_pruned(*arguments: Any, **options: Any) -> Any:
        candidate = made(*arguments, **options)
        path.unlink(missing_ok=True)  # it is made anew, twice
        return candidate

    monkeypatch.setattr(making, "make_candidate", then_pruned)
    old = queue.main()
    queue.drain()
    path.write_bytes(kept)
    held = queue.entry(one)
    assert (held.state, held.reason["code"], held.reason["paths"]) == ("held", "missing-object", ["one"])
    assert queue.main() == old


def test_s4_s6_s8_the_proof_of_a_landing_tells_each_flaw(queue: Queue) -> None:
    landed = queue.land("one", {"one": "1\n"})
    (intent,) = queue.bench.store.intents({IntentState.DONE})
    beside = queue.repo.branch("beside", {"beside": "1\n"}, start="main~1")
    told = partial(flaw, queue.bench, (landed,))
    assert told(intent) is None
    assert "does not contain" in str(told(replace(intent, old=beside))), "S6: not forward"
    assert "which does not contain" in str(told(replace(intent, new=queue.repo.branch("new", {"x": "1\n"}))))
    assert "the landed reference of" in str(told(replace(intent, members={landed.id: beside})))
    name = landed_reference(queue.bench.landed, "one", landed.id)
    queue.repo.git("update-ref", name, beside)
    assert "the landed reference of" in str(told(intent)), "S4: it says something else"
    assert "which is to land with it" in str(told(replace(intent, members={landed.id: beside})))
    queue.repo.git("update-ref", name, intent.new)
    queue.repo.git("update-ref", MAIN, intent.old)
    assert f"is at {intent.old}, which does not contain" in str(told(intent)), "S8: it is not there"


def test_s8_a_landing_that_its_references_do_not_prove_stops_the_queue(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes main back in the very moment after it was moved."""
    configure(queue.repo, queue="serial")
    queue.repo.git("checkout", "-q", "--detach")
    one, old = queue.work("one", {"one": "1\n"}), queue.main()
    queue.repo.git("checkout", "-q", "--detach")
    two = queue.work("two", {"two": "2\n"})
    queue.repo.git("checkout", "-q", "--detach")
    transacting(monkeypatch, lambda: queue.repo.git("update-ref", MAIN, old))
    queue.drain()
    why = noted(queue.bench.store, MAIN, PAUSED)
    assert why is not None
    assert why.startswith("the proof of a landing failed")
    assert queue.entry(two).state is EntryState.QUEUED
    assert queue.main() == old
    assert queue.entry(one).landed_commit != old
