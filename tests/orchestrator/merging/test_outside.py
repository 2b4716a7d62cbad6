"""Moves of the target that are not the queue's: recorded, and checked before more lands (S1, P12, P24)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.merging import round as rounds
from orchestrator.services import queue as service
from orchestrator.states import EntryState
from tests.support.queues import Queue, configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    """One entry has landed, so the queue knows where it brought the target."""
    configure(repo, check="test ! -e bad")
    with queue_of(repo) as queue:
        assert queue.land("first", {"first": "1\n"}).state is EntryState.LANDED
        yield queue
    require_sound(repo)


def checked(queue: Queue) -> list[str]:
    return [e.data["commit"] for e in queue.events("check.started")]


def test_s1_an_outside_commit_is_recorded_and_checked_before_more_lands(queue: Queue) -> None:
    old = queue.main()
    outside = queue.repo.commit("by a person", {"theirs": "1\n"})
    landed = queue.land("second", {"second": "1\n"})
    assert landed.state is EntryState.LANDED
    (moved,) = queue.events("target.moved")
    assert (moved.data["old"], moved.data["new"], moved.data["forward"]) == (old, outside, True)
    assert checked(queue)[-2:] == [outside, landed.candidate]


def test_s1_a_landing_of_the_queue_itself_is_no_outside_move(queue: Queue) -> None:
    for number in range(2):
        queue.land(f"more{number}", {f"more{number}": "1\n"})
    assert queue.events("target.moved") == []
    assert queue.checks_run() == 3


def test_s1_a_red_outside_commit_pauses_the_queue_and_nobody_is_rejected(queue: Queue) -> None:
    outside = queue.repo.commit("by a person", {"bad": "1\n"})
    one, two = queue.work("one", {"one": "1\n"}), queue.work("two", {"two": "1\n"})
    queue.drain()
    for entry in (one, two):
        assert queue.entry(entry).state is EntryState.QUEUED
        assert queue.entry(entry).reason["code"] == "paused"
        assert queue.entry(entry).reason["detail"].startswith(f"target-red: {outside[:12]}")
    assert queue.main() == outside
    ran = queue.checks_run()
    queue.drain()
    assert queue.checks_run() == ran, "it is known to be red"

    queue.repo.git("rm", "-q", "bad")
    queue.repo.commit("mended")
    queue.drain()
    assert {queue.entry(e).state for e in (one, two)} == {EntryState.LANDED}


def test_p24_what_mends_a_red_target_may_land_when_a_person_says_so(queue: Queue) -> None:
    queue.repo.commit("by a person", {"bad": "1\n"})
    queue.repo.git("checkout", "-q", "-b", "mend")
    queue.repo.git("rm", "-q", "bad")
    queue.repo.commit("mend")
    queue.repo.git("checkout", "-q", "main")
    mend = queue.add("mend")
    queue.drain()
    assert queue.entry(mend).state is EntryState.QUEUED
    service.resume(queue.bench)
    queue.drain()
    assert queue.entry(mend).state is EntryState.LANDED
    assert queue.repo.git("ls-tree", "main", "bad") == ""


def test_an_outside_commit_whose_check_gives_no_verdict_blames_nobody(queue: Queue) -> None:
    outside = configure(queue.repo, check=repr("test -e one && exit 0; exit 75"))
    one = queue.work("one", {"one": "1\n"})
    queue.drain()
    why = queue.entry(one).reason
    assert why["code"] == "paused"
    assert outside[:12] in why["detail"]
    assert "exit 75" in why["detail"]
    service.resume(queue.bench)
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED


def test_s1_who_ends_a_pause_vouches_for_no_commit_that_nobody_checked(queue: Queue) -> None:
    service.pause(queue.bench, "lunch")
    outside = queue.repo.commit("by a person", {"theirs": "1\n"})
    one = queue.work("one", {"one": "1\n"})
    queue.drain()
    service.resume(queue.bench)
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED
    checked = [e.data["commit"] for e in queue.events("check.finished") if e.data["of_target"]]
    assert outside in checked


def test_an_outside_commit_without_a_check_is_recorded_only(queue: Queue) -> None:
    configure(queue.repo, jobs=1)
    landed = queue.land("one", {"one": "1\n"})
    assert (landed.state, landed.unchecked) == (EntryState.LANDED, True)
    assert len(queue.events("target.moved")) == 1


def test_nothing_is_checked_while_nothing_wants_to_land(queue: Queue) -> None:
    ran = queue.checks_run()
    queue.repo.commit("by a person", {"theirs": "1\n"})
    queue.drain()
    assert queue.checks_run() == ran
    assert len(queue.events("target.moved")) == 1


def test_s1_a_commit_between_the_look_and_the_landing_is_seen(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target moves after the round has looked at it: nothing lands on a tip that was not checked."""
    real = rounds.Processor.process
    moved: list[str] = []

    def late(self: Any, entry: Any, old: str) -> Any:
        if not moved:
            moved.append(queue.repo.commit("in between", {"theirs": "1\n"}))
        return real(self, entry, old)

    monkeypatch.setattr(rounds.Processor, "process", late)
    landed = queue.land("one", {"one": "1\n"})
    assert landed.state is EntryState.LANDED
    assert moved[0] in checked(queue)
    assert queue.repo.head(f"{landed.landed_commit}^1") == moved[0]


def test_s8_a_landing_that_was_reset_away_may_land_again(queue: Queue) -> None:
    first = queue.bench.store.entries()[0]
    queue.repo.git("reset", "-q", "--hard", "main~1")
    assert service.add(queue.bench, "first").state is EntryState.QUEUED
    queue.drain()
    again = queue.entry(first)
    assert again.state is EntryState.LANDED
    assert queue.main() == again.landed_commit == landed_once(queue.repo, first.id)
    assert queue.events("target.moved")[0].data["forward"] is False
    assert service.add(queue.bench, "first").state is EntryState.LANDED


def test_the_target_is_made_anew_from_other_history(queue: Queue) -> None:
    """A force push of something unrelated is recorded, checked, and landed upon like any other."""
    queue.repo.git("checkout", "-q", "--orphan", "fresh")
    queue.repo.commit("fresh start")
    queue.repo.git("checkout", "-q", "-B", "main")
    queue.repo.branch("one", {"one": "1\n"})
    entry = queue.add("one")
    queue.drain()
    assert queue.entry(entry).state is EntryState.LANDED
