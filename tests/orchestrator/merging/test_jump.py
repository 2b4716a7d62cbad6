"""A person lifts an entry while workers are at the queue: it lands next, and nothing at work is disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.merging.pausing import FIRST, noted
from orchestrator.merging.processing import Processor
from orchestrator.services import queue as service
from orchestrator.services.explaining import explain
from orchestrator.services.jumping import jump
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from orchestrator.submitting.submit import Work, submit
from tests.support.gates import Gates
from tests.support.process import run
from tests.support.queues import MAIN, Queue, configure, drain_beside, queue_of, require_sound
from tests.support.repo import GitRepo

NAMES = ("one", "two", "three", "four")


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[Gates]:
    found = Gates(tmp_path / "gates")
    yield found
    found.clear()


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as found:
        yield found
    require_sound(repo)


def landings(queue: Queue) -> list[str]:
    return [event.data["branch"] for event in queue.events("entry.landed")]


def lifted(queue: Queue) -> list[tuple[str, object, object]]:
    return [
        (e.data["branch"], e.data["was"], e.data.get("for"))
        for e in queue.events("queue.jumped")
        if "was" in e.data
    ]


def a_plan(queue: Queue, name: str, *after: str) -> Entry:
    queue.repo.branch(name, {name: "1\n"})
    base = queue.repo.git("merge-base", MAIN, name)
    return submit(queue.bench, Work(MAIN, name, queue.repo.head(name), base, plan=name, after=after))


def jump_beside(repo: GitRepo, name: str) -> None:
    """By a process of its own, as a person does."""
    done = run("queue", "jump", name, cwd=repo.path)
    assert done.code == 0, done


@pytest.mark.parametrize(
    ("settings", "landed"),
    [
        ({"queue": "serial"}, ["one", "four", "two", "three"]),
        ({"queue": "serial", "check_jobs": 4}, ["one", "four", "two", "three"]),
        ({"queue": "ranked", "check_jobs": 1}, ["four", "one", "two", "three"]),
    ],
)
def test_the_last_lands_next_and_what_is_at_its_turn_goes_on(
    repo: GitRepo, gates: Gates, queue: Queue, settings: dict[str, object], landed: list[str]
) -> None:
    """With ``ranked`` nobody has a turn before the checks have decided: there it is first of all."""
    held = gates.command("one")
    configure(repo, check=repr(f"test ! -e one || test -e two || test -e four || {{ {held}; }}"), **settings)
    for name in NAMES:
        queue.work(name, {name: "1\n"})

    def person() -> None:
        gates.await_at("one")
        jump_beside(repo, "four")
        gates.open("one")

    drain_beside(queue, person)
    assert landings(queue) == landed
    assert lifted(queue) == [("four", 4, None)]


def test_a_batch_sees_the_new_order_and_no_one_is_blamed(repo: GitRepo, queue: Queue) -> None:
    """Red together, and turned round by a jump: the first half now is the one with the lifted entry."""
    configure(repo, check="test ! -e two", queue="batch")
    for name in NAMES:
        queue.work(name, {name: "1\n"})
    jump(queue.bench, "four")
    jump(queue.bench, "three")
    queue.drain()
    assert landings(queue) == ["three", "four", "one"]
    assert queue.states()["two"] == "rejected"


def test_what_it_lands_after_goes_before_it_and_both_before_all_others(queue: Queue) -> None:
    for name in ("one", "two"):
        queue.work(name, {name: "1\n"})
    base, top = a_plan(queue, "base"), a_plan(queue, "top", "base")
    done = jump(queue.bench, "top")
    assert [entry.id for entry in done.line] == [base.id, top.id]
    assert (done.awaits, done.is_new) == ((), True)
    assert lifted(queue) == [("base", 3, "top"), ("top", 4, None)]
    assert queue.entry(base).reason["detail"].endswith("with top, which lands after it")
    assert not jump(queue.bench, "top").is_new
    assert not jump(queue.bench, "base").is_new
    assert len(lifted(queue)) == 2, "what changes nothing is not told"
    queue.drain()
    assert landings(queue) == ["base", "top", "one", "two"]


def test_it_says_what_it_waits_for_where_that_is_in_no_queue(queue: Queue) -> None:
    queue.work("one", {"one": "1\n"})
    a_plan(queue, "top", "base")
    assert jump(queue.bench, "top").awaits == ("base",)
    queue.drain()
    assert landings(queue) == ["one"], "it passes nobody's work by standing there"
    a_plan(queue, "base")
    assert [entry.branch for entry in jump(queue.bench, "top").line] == ["base", "top"]


def test_a_lift_outlasts_a_conflict_that_is_resolved_and_work_that_is_handed_in_again(queue: Queue) -> None:
    queue.repo.branch("two", {"src/a.py": "two\n"})
    queue.land("one", {"src/a.py": "one\n"})
    conflicted = queue.add("two")
    for name in ("three", "four"):
        queue.work(name, {name: "1\n"})
    jump(queue.bench, "two")
    service.pause(queue.bench, "")
    queue.drain()
    service.resume(queue.bench)
    service.drop(queue.bench, "two")
    assert queue.add("two").priority == queue.entry(conflicted).priority > 50
    jump(queue.bench, "four")
    queue.drain()
    assert queue.entry(conflicted).state is EntryState.CONFLICTED
    queue.repo.git("checkout", "-q", "two")
    queue.repo.git("merge", "-q", "-X", "ours", "main")
    queue.repo.git("checkout", "-q", "main")
    mended = queue.add("two")
    assert (mended.priority, mended.age) == (queue.entry(conflicted).priority, conflicted.age)


def test_one_that_gave_no_verdict_and_lets_others_pass_is_tried_at_once(
    repo: GitRepo, gates: Gates, queue: Queue
) -> None:
    once = repo.path.with_name("once")
    first = f"if test -e one -a ! -e {once}; then touch {once}; exit 75; fi"
    held = gates.command("two")
    check = f"{first}; test -e one || test ! -e two || {{ {held}; }}"
    configure(repo, queue="serial", check=repr(check))
    for name in NAMES:
        queue.work(name, {name: "1\n"})

    def person() -> None:
        gates.await_at("two")
        jump_beside(repo, "one")
        gates.open("two")

    drain_beside(queue, person)
    assert landings(queue) == ["two", "one", "three", "four"]


def test_a_worker_that_has_just_read_it_reads_it_again(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write of the jump is between the worker's choice and its first one."""
    for name in ("one", "two"):
        queue.work(name, {name: "1\n"})
    process, met = Processor.process, []

    def late(self: Processor, entry: Entry, old: str) -> Entry:
        if not met:
            met.append(entry.branch)
            jump_beside(queue.repo, "one")
        return process(self, entry, old)

    configure(queue.repo, check="true", queue="serial")
    monkeypatch.setattr(Processor, "process", late)
    queue.drain()
    assert met == ["one"]
    assert landings(queue) == ["one", "two"]
    assert queue.entry(queue.add("one")).attempts == 1


def test_what_does_not_wait_for_its_turn_is_refused_with_its_reason(queue: Queue) -> None:
    queue.work("policy", {"planctl.yaml": "check: 'true'\n"})
    queue.land("done", {"done": "1\n"})
    service.drop(queue.bench, queue.work("gone", {"gone": "1\n"}).id)
    for name, words in {
        "policy": "policy is held: changes what guards the target: check",
        "done": "done is landed",
        "gone": "gone is dropped: by a person",
    }.items():
        with pytest.raises(UsageError) as raised:
            jump(queue.bench, name)
        assert str(raised.value) == words
    with pytest.raises(NothingToDoError):
        jump(queue.bench, "nobody")
    assert lifted(queue) == []


@pytest.mark.parametrize("state", [EntryState.MERGING, EntryState.CHECKING])
def test_one_at_its_turn_stays_as_it_is(queue: Queue, state: EntryState) -> None:
    at_work = queue.bench.store.move_entry(queue.work("one", {"one": "1\n"}), EntryState.MERGING)
    if state is EntryState.CHECKING:
        at_work = queue.bench.store.move_entry(at_work, state)
    done = jump(queue.bench, "one")
    assert ([entry.version for entry in done.line], done.is_new, done.at_turn) == (
        [at_work.version],
        True,
        True,
    )
    assert not jump(queue.bench, "one").is_new
    assert queue.entry(at_work).version == at_work.version, "the worker's next write counts"


def test_one_of_a_batch_at_work_is_first_when_that_is_red(repo: GitRepo, gates: Gates, queue: Queue) -> None:
    held = gates.command("all", "test ! -e two")
    configure(repo, check=repr(f"test ! -e one || {{ {held}; }}"), queue="batch")
    for name in NAMES:
        queue.work(name, {name: "1\n"})

    def person() -> None:
        gates.await_at("all")
        jump_beside(repo, "three")
        jump_beside(repo, "four")
        gates.open("all")

    drain_beside(queue, person)
    assert lifted(queue) == [("four", 4, None)], "the last word counts"
    assert [e.data["branch"] for e in queue.events("queue.jumped")] == ["three", "four", "four"]
    assert landings(queue) == ["four", "one", "three"]
    assert noted(queue.bench.store, MAIN, FIRST) is None


def test_a_later_jump_of_another_takes_back_that_one_is_first_once_it_waits(queue: Queue) -> None:
    for name in ("one", "two", "three"):
        queue.work(name, {name: "1\n"})
    at_work = queue.bench.store.move_entry(queue.add("one"), EntryState.MERGING)
    jump(queue.bench, "one")
    jump(queue.bench, "three")
    queue.drain()
    assert landings(queue) == ["three", "one", "two"]
    assert queue.entry(at_work).state is EntryState.LANDED


def test_one_that_lands_from_its_turn_is_forgotten(repo: GitRepo, gates: Gates, queue: Queue) -> None:
    configure(repo, check=repr(gates.command("check")), queue="serial")
    queue.work("one", {"one": "1\n"})

    def person() -> None:
        gates.await_at("check")
        jump_beside(repo, "one")
        assert noted(queue.bench.store, MAIN, FIRST)
        gates.open("check")

    drain_beside(queue, person)
    assert landings(queue) == ["one"]
    assert (lifted(queue), noted(queue.bench.store, MAIN, FIRST)) == ([], None)


@pytest.mark.parametrize(("below", "waits"), [(60, False), (200, True)])
def test_a_freeze_that_is_said_later_counts_whether_it_had_its_turn_or_waited(
    queue: Queue, below: float, *, waits: bool
) -> None:
    """It holds what it is above; the freeze that was there before a jump is passed (below)."""
    for name in ("one", "two"):
        queue.work(name, {name: "1\n"})
    queue.bench.store.move_entry(queue.add("two"), EntryState.MERGING)
    jump(queue.bench, "two")
    service.freeze(queue.bench, below, "release day")
    queue.drain()
    assert queue.states() == {"one": "queued", "two": "queued" if waits else "landed"}
    service.resume(queue.bench)
    queue.drain()
    assert landings(queue) == ["two", "one"], "it was lifted all the same"


def test_one_at_its_turn_passes_the_freeze_that_it_was_lifted_under(queue: Queue) -> None:
    queue.work("one", {"one": "1\n"})
    service.freeze(queue.bench, 200, "release day")
    queue.bench.store.move_entry(queue.add("one"), EntryState.MERGING)
    jump(queue.bench, "one")
    queue.drain()
    assert landings(queue) == ["one"]


def test_a_frozen_one_that_is_lifted_does_not_go_on_saying_that_it_is_frozen(queue: Queue) -> None:
    entry = queue.work("one", {"one": "1\n"})
    service.freeze(queue.bench, 60, "release day")
    queue.drain()
    assert queue.entry(entry).reason["code"] == "frozen"
    assert "`planctl queue jump one`" in explain(queue.bench, "one")["cure"]
    jump(queue.bench, "one")
    assert queue.entry(entry).reason["code"] == "jumped", "where no worker is there, nobody else would"
    queue.drain()
    assert landings(queue) == ["one"]
