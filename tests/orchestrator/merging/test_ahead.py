"""Checks ahead of their turn: they save time, decide nothing, and end when what they assume does not come."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.merging.checkroom import CheckRoom
from orchestrator.merging.foresight import Foresight, Turn
from orchestrator.merging.planner import QueueView, line
from orchestrator.services import queue as service
from orchestrator.states import EntryState, SlotState
from tests.support.queues import Queue, configure, queue_of, require_sound
from tests.support.records import an_entry
from tests.support.repo import GitRepo

BRANCHES = ("one", "two", "three")


class Checks:
    """Checks that say which branches are in their tree, and wait to be told to go on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        os.mkfifo(folder / "started")
        # read and write, so that neither end waits for the other
        self._started = os.fdopen(os.open(folder / "started", os.O_RDWR), "r")
        self._open: list[int] = []
        trees = (*BRANCHES, "onetwo", "onethree", "twothree", "onetwothree")
        for tree in trees:
            os.mkfifo(folder / tree)
        names = " ".join(BRANCHES)
        script = f"""cd "$1"; t=; for n in {names}; do if [ -e $n ]; then t=$t$n; fi; done
        echo $t > {folder}/started; read go < {folder}/$t; ! test -e bad"""
        (folder / "check").write_text(script)
        self.command = f"sh {folder}/check ."

    def begin(self, count: int) -> list[str]:
        """The next so many checks that began, sorted by their trees."""
        return sorted(self._started.readline().strip() for _ in range(count))

    def go(self, *trees: str) -> None:
        for tree in trees:
            (self._folder / tree).write_text("go\n")

    def close(self) -> None:
        self._started.close()


@pytest.fixture
def checks(tmp_path: Path) -> Iterator[Checks]:
    folder = tmp_path / "checks"
    folder.mkdir()
    found = Checks(folder)
    yield found
    found.close()


@pytest.fixture
def queue(repo: GitRepo, checks: Checks) -> Iterator[Queue]:
    configure(repo, check=repr(checks.command), check_jobs=3)
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


def drain_beside(queue: Queue, person: Callable[[], None]) -> None:
    """Drain while a person acts; an error of theirs ends the drain and is raised here."""
    errors: list[AssertionError] = []

    def act() -> None:
        try:
            person()
        except AssertionError as error:
            errors.append(error)
            queue.cancel.set()

    beside = threading.Thread(target=act)
    beside.start()
    queue.drain()
    beside.join()
    for error in errors:
        raise error


def require_checked(queue: Queue) -> None:
    """Every commit that landed has a green verdict for exactly its tree (S1)."""
    green = {event.data["commit"] for event in queue.events("check.finished") if event.data["passed"]}
    trees = {queue.repo.git("rev-parse", f"{commit}^{{tree}}") for commit in green}
    landed = queue.repo.git("log", "--first-parent", "--format=%T", "--grep=^Merge", "main").splitlines()
    assert landed
    assert set(landed) <= trees


def test_p6_checks_of_what_waits_run_at_once_and_each_tree_once(queue: Queue, checks: Checks) -> None:
    for name in BRANCHES:
        queue.work(name, {name: "1\n"})

    def person() -> None:
        assert checks.begin(3) == ["one", "onetwo", "onetwothree"]
        checks.go("onetwothree", "one")  # the second is at its turn while its check is still at work
        checks.go("onetwo")

    drain_beside(queue, person)
    assert queue.states() == dict.fromkeys(BRANCHES, "landed")
    assert queue.checks_run() == 3
    assert [e.data.get("ahead", False) for e in queue.events("check.finished")].count(True) == 2
    require_checked(queue)


def test_p6_what_assumed_a_refused_one_is_stopped_and_checked_without(queue: Queue, checks: Checks) -> None:
    for name in BRANCHES:
        queue.work(name, {name: "1\n", **({"bad": "x"} if name == "two" else {})})

    def person() -> None:
        assert checks.begin(3) == ["one", "onetwo", "onetwothree"]
        checks.go("onetwo")
        assert checks.begin(1) == ["onethree"], "the third goes without the second"
        checks.go("one")
        assert checks.begin(1) == ["onetwo"], "red is tried once more at its turn"
        checks.go("onetwo", "onethree")

    drain_beside(queue, person)
    assert queue.states() == {"one": "landed", "two": "rejected", "three": "landed"}
    assert len(queue.events("check.stopped")) == 1
    require_checked(queue)


def test_p6_one_that_is_dropped_is_not_assumed_any_more(queue: Queue, checks: Checks) -> None:
    for name in BRANCHES:
        queue.work(name, {name: "1\n"})

    def person() -> None:
        assert checks.begin(3) == ["one", "onetwo", "onetwothree"]
        with queue_of(queue.repo) as other:
            service.drop(other.bench, "two")
        assert checks.begin(1) == ["onethree"]
        checks.go("one", "onethree")

    drain_beside(queue, person)
    assert queue.states() == {"one": "landed", "two": "dropped", "three": "landed"}
    require_checked(queue)


def test_s0_5_a_worker_that_is_asked_to_end_stops_the_checks_ahead_as_well(
    queue: Queue, checks: Checks
) -> None:
    entries = [queue.work(name, {name: "1\n"}) for name in BRANCHES]

    def person() -> None:
        assert checks.begin(3) == ["one", "onetwo", "onetwothree"]
        queue.cancel.set()

    drain_beside(queue, person)
    assert {queue.entry(entry).state for entry in entries} == {EntryState.QUEUED}
    assert len(queue.events("check.stopped")) == 2
    assert {slot.state for slot in queue.bench.store.slots(purpose="check")} == {SlotState.FREE}


def test_p6_a_pause_stops_what_is_checked_ahead(queue: Queue, checks: Checks) -> None:
    for name in BRANCHES:
        queue.work(name, {name: "1\n"})

    def person() -> None:
        assert checks.begin(3) == ["one", "onetwo", "onetwothree"]
        with queue_of(queue.repo) as other:
            service.pause(other.bench, "release day")
            while len(other.events("check.stopped")) < 2:
                pass
        checks.go("one")

    drain_beside(queue, person)
    assert queue.states()["two"] == "queued"


def test_what_fails_ahead_ends_the_tenure_and_the_next_one_lands_all(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git and disks fail there as anywhere; the worker hears of it, and recovers as ever."""
    configure(repo, check="'true'", check_jobs=2)
    real, failed = Foresight.turns, threading.Event()

    def turns(self: Foresight, *arguments: Any) -> tuple[Turn, ...]:
        if not failed.is_set():
            failed.set()
            raise OSError(5, "the disk")
        return real(self, *arguments)

    monkeypatch.setattr(Foresight, "turns", turns)
    check = CheckRoom.try_out

    def try_out(*arguments: Any, **options: Any) -> Any:
        assert failed.wait(20)
        return check(*arguments, **options)

    monkeypatch.setattr(CheckRoom, "try_out", try_out)
    with queue_of(repo) as queue:
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert queue.states() == dict.fromkeys(BRANCHES, "landed")
        (lost,) = queue.events("queue.lost")
        assert "the disk" in lost.data["why"]


def test_one_at_a_time_checks_nothing_ahead(repo: GitRepo) -> None:
    configure(repo, check="'true'")
    with queue_of(repo) as queue:
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert queue.states() == dict.fromkeys(BRANCHES, "landed")
        assert not any("ahead" in event.data for event in queue.events("check"))


# -- the line, and what is foreseen of it --------------------------------------------------------------


def test_the_line_has_who_lands_when_those_before_have_landed() -> None:
    named = {
        "a": {},
        "held": {"state": EntryState.HELD},
        "b": {"after": ("a",)},
        "c": {"after": ("elsewhere",)},
        "late": {},
        "d": {"priority": 90.0},
        "e": {"after": ("b", "d")},
    }
    entries = tuple(an_entry(n, plan=n, sequence=i, **fields) for i, (n, fields) in enumerate(named.items()))
    view = QueueView(entries, later=frozenset({"late"}))
    assert [entry.id for entry in line(view, entries[0], 9)] == ["d", "b", "e"]
    assert [entry.id for entry in line(view, entries[0], 2)] == ["d", "b"]
    assert line(QueueView(entries, paused="by a person"), entries[0], 9) == ()


def test_what_conflicts_or_was_red_is_passed_over_and_a_change_of_policy_ends_it(repo: GitRepo) -> None:
    configure(repo, check="'true'")
    with queue_of(repo) as queue:
        files = {"a": {"f": "1\n"}, "b": {"f": "2\n"}, "c": {"c": "1\n"}, "d": {"d": "1\n"}}
        entries = [queue.work(name, dict(made)) for name, made in files.items()]
        entries.append(queue.work("policy", {"planctl.yaml": "check: 'false'\n"}))
        entries.append(queue.work("behind", {"g": "1\n"}))
        turns = Foresight().turns(queue.bench, queue.main(), entries, lambda t: t.entry.branch == "c")
        assert [turn.entry.branch for turn in turns] == ["a", "c", "d"]
        names = [repo.git("ls-tree", "--name-only", turn.candidate.tree).split() for turn in turns]
        assert ["c" in found for found in names] == [False, True, False]
        assert all("f" in found for found in names)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p6_never_more_at_once_than_was_said_and_what_lands_is_what_one_by_one_would(
    repo: GitRepo, tmp_path: Path, seed: int
) -> None:
    """Some are bad by themselves, some together with an earlier one, some conflict."""
    dice = random.Random(seed)
    at_work = tmp_path / "at-work"
    at_work.mkdir()
    script = f"""me={at_work}/$$; trap 'rm -f $me' EXIT; trap 'exit 9' TERM; touch $me
        ls {at_work} | wc -l >> {tmp_path}/counts
        ! test -e bad && test $(ls pair 2>/dev/null | wc -l) -lt 2"""
    (tmp_path / "check").write_text(script)
    configure(repo, check=repr(f"sh {tmp_path}/check"), check_jobs=3)
    expected, pairs, shared = {}, 0, False
    with queue_of(repo) as queue:
        for number in range(12):
            name, kind = f"b{number:02}", dice.choice(["good", "good", "good", "bad", "pair", "shared"])
            file = {"bad": "bad", "pair": f"pair/{name}", "shared": "shared"}.get(kind, name)
            queue.work(name, {file: f"{name}\n"})
            out = {"bad": "rejected", "pair": "rejected" if pairs else "landed"}
            expected[name] = out.get(kind, "conflicted" if kind == "shared" and shared else "landed")
            pairs, shared = pairs or kind == "pair", shared or kind == "shared"
        queue.drain()
        assert queue.states() == expected
        assert max(map(int, (tmp_path / "counts").read_text().split())) <= 3
        require_checked(queue)
    require_sound(repo)
