"""Checks ahead of their turn: they save time, decide nothing, and end when what they assume does not come."""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.merging.ahead import Ahead
from orchestrator.merging.checkroom import CheckRoom
from orchestrator.merging.foresight import Foresight, Line
from orchestrator.merging.planner import QueueView, line
from orchestrator.services import queue as service
from orchestrator.states import EntryState, SlotState
from orchestrator.store.records import Entry
from orchestrator.submitting.key import CANDIDATES
from tests.support.process import until
from tests.support.queues import Queue, configure, drain_beside, queue_of, require_sound
from tests.support.records import an_entry
from tests.support.repo import GitRepo
from tests.support.slices import seldom
from worktrees.candidate import Candidate

BRANCHES = ("one", "two", "three")


class Checks:
    """Checks that say which branches are in their tree, and wait to be told to go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "started")
        # read and write, so that neither end waits for the other
        self._started = os.fdopen(os.open(folder / "started", os.O_RDWR), "r")
        self._open: list[int] = []
        trees = (*BRANCHES, "blocked", "onetwo", "onethree", "twothree", "onetwothree")
        for tree in trees:
            os.mkfifo(folder / tree)
        names = " ".join(BRANCHES)
        script = f"""cd "$1"; t=; for n in {names}; do if [ -e $n ]; then t=$t$n; fi; done
        echo $t > {folder}/started; read go < {folder}/${{t:-blocked}}; ! test -e bad"""
        (folder / "check").write_text(script)
        self.command = f"sh {folder}/check ."

    def begin(self, count: int) -> list[str]:
        """The next so many checks that began, sorted by their trees."""
        return sorted(self._started.readline().strip() for _ in range(count))

    def go(self, *trees: str) -> None:
        for tree in trees:
            (self.folder / tree).write_text("go\n")

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


def require_checked(queue: Queue) -> None:
    """Every commit that landed has a green verdict for exactly its tree (S1)."""
    green = {event.data["commit"] for event in queue.events("check.finished") if event.data["passed"]}
    trees = {queue.repo.git("rev-parse", f"{commit}^{{tree}}") for commit in green}
    landed = queue.repo.git("log", "--first-parent", "--format=%T", "--grep=^Merge", "main").splitlines()
    assert landed
    assert set(landed) <= trees


def test_s15_what_is_checked_ahead_is_kept_until_its_entry_has_ended(queue: Queue, checks: Checks) -> None:
    entries = [queue.work(name, {name: "1\n"}) for name in BRANCHES[:2]]

    def person() -> None:
        assert checks.begin(2) == ["one", "onetwo"]
        kept = queue.repo.git("for-each-ref", "--format=%(refname:lstrip=3) %(tree)", CANDIDATES)
        assert len(re.findall(f"ahead-{entries[1].id}-", kept)) == 1, kept
        queue.repo.git("gc", "-q", "--prune=now")
        checks.go("one", "onetwo")

    drain_beside(queue, person)
    assert {queue.entry(entry).state for entry in entries} == {EntryState.LANDED}
    assert queue.repo.git("for-each-ref", CANDIDATES) == ""


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
            until(lambda: len(other.events("check.stopped")) >= 2)
        checks.go("one")

    drain_beside(queue, person)
    assert queue.states()["two"] == "queued"


def test_the_check_of_one_that_is_frozen_at_its_turn_goes_on_beside_those_that_may_land(
    queue: Queue, checks: Checks
) -> None:
    configure(queue.repo, check=repr(checks.command), check_jobs=2)
    queue.work("one", {"one": "1\n"}, priority=90)
    queue.work("two", {"two": "1\n"}, priority=40)

    def person() -> None:
        assert checks.begin(2) == ["one", "onetwo"]
        checks.go("one")
        with queue_of(queue.repo) as other:
            until(lambda: other.states() == {"one": "landed", "two": "checking"})
            service.freeze(other.bench, 60, "release day")
            other.work("three", {"three": "1\n"}, priority=90)
            assert checks.begin(1) == ["onethree"], "as if the second were not there"
            checks.go("onethree")
            until(lambda: len(other.events("check.finished")) > 1)
            assert not other.events("check.stopped")
        checks.go("onetwo")

    drain_beside(queue, person)
    assert queue.states() == {"one": "landed", "two": "queued", "three": "landed"}
    assert queue.checks_run() == 3
    service.resume(queue.bench)


def test_what_fails_ahead_ends_a_check_and_nothing_else(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git and disks fail there as anywhere: it is told, and each entry is checked at its turn."""
    configure(repo, check="'true'", check_jobs=3)
    real = CheckRoom.try_out
    failed = threading.Event()

    def try_out(room: CheckRoom, check: Any, commit: str, about: Any, **options: Any) -> Any:
        if about.get("ahead"):
            failed.set()
            raise OSError(5, "the disk")
        assert failed.wait(20)
        return real(room, check, commit, about, **options)

    monkeypatch.setattr(CheckRoom, "try_out", try_out)
    with queue_of(repo) as queue:
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert queue.states() == dict.fromkeys(BRANCHES, "landed")
        assert queue.events("queue.lost") == []
        assert all("the disk" in event.data["why"] for event in queue.events("check.stopped"))
        assert queue.events("check.stopped")


@pytest.mark.parametrize("jobs", [1, 3])
def test_s9_a_waiting_entry_whose_objects_are_gone_holds_up_nobody(repo: GitRepo, jobs: int) -> None:
    configure(repo, check="'true'", check_jobs=jobs)
    with queue_of(repo) as queue:
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        lost = repo.git("rev-parse", "two^{tree}")
        (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
        queue.drain()
        assert queue.states() == {"one": "landed", "two": "held", "three": "landed"}
        repo.git("branch", "-D", "two")
        repo.git("update-ref", "-d", "refs/planctl/candidates/two")


def test_a_pool_with_one_place_has_one_check_at_a_time(repo: GitRepo) -> None:
    configure(repo, check="'true'", check_jobs=4, pool="{max: 1}", queue="serial")
    with queue_of(repo) as queue:
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert queue.states() == dict.fromkeys(BRANCHES, "landed")
        assert queue.checks_run() == 3


def test_a_verdict_that_does_not_count_is_not_asked_for_again_and_again(queue: Queue, checks: Checks) -> None:
    """Tracked files were changed by the check: at its turn an entry is checked once more, as ever."""
    (checks.folder / "check").write_text(
        (checks.folder / "check").read_text().replace("! test -e bad", "echo x >> README.md")
    )
    queue.work("one", {"one": "1\n"})
    queue.work("two", {"two": "1\n"})

    def person() -> None:
        assert checks.begin(2) == ["one", "onetwo"]
        checks.go("onetwo")
        with queue_of(queue.repo) as other:
            until(lambda: any(event.data.get("ahead") for event in other.events("check.finished")))
        checks.go("one")
        assert checks.begin(1) == ["onetwo"]
        checks.go("onetwo")

    drain_beside(queue, person)
    assert queue.states() == {"one": "landed", "two": "landed"}
    assert queue.checks_run() == 3


def test_p25_a_blocked_entry_between_does_not_stop_what_is_checked_ahead(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried anew after each landing, and nothing is foreseen on top of it."""
    configure(repo, check="'true'", check_jobs=2, queue="serial")
    real, turns = Ahead.at, list[str]()
    monkeypatch.setattr(Ahead, "at", lambda self, now: (turns.append(now.unit[0].branch), real(self, now)))
    with queue_of(repo) as queue:
        queue.work("blocked", {"src/a.py": "theirs\n"}, priority=99)
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        repo.write("src/a.py", "mine\n")
        queue.drain()
        assert queue.states() == {"blocked": "blocked"} | dict.fromkeys(BRANCHES, "landed")
        assert turns == ["blocked", *BRANCHES]
        tried = [e for e in queue.events("entry.blocked") if e.data["branch"] == "blocked"]
        assert len(tried) > 1, "after each landing"


def test_fewer_at_once_counts_from_the_landing_that_says_so(repo: GitRepo, tmp_path: Path) -> None:
    at_work = tmp_path / "at-work"
    at_work.mkdir()
    script = f"""me={at_work}/$$; trap 'rm -f $me' EXIT; trap 'exit 9' TERM; touch $me
        jobs=$(sed -n 's/check_jobs: //p' planctl.yaml); n=$(ls {at_work} | wc -l)
        echo $jobs $n >> {tmp_path}/counts"""
    (tmp_path / "check").write_text(script)
    command = repr(f"sh {tmp_path}/check")
    configure(repo, check=command, check_jobs=4)
    with queue_of(repo) as queue:
        fewer = {"planctl.yaml": f"check: {command}\ncheck_jobs: 1\n"}
        queue.work("fewer", fewer)
        for number in range(6):
            queue.work(f"b{number}", {f"f{number}": "1\n"})
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
    seen = [tuple(map(int, line.split())) for line in (tmp_path / "counts").read_text().splitlines()]
    assert max(n for jobs, n in seen if jobs == 1) <= 4
    assert seen[-1] == (1, 1)


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
    assert [entry.id for entry in line(view, entries[:1], 9)] == ["d", "b", "e"]
    assert [entry.id for entry in line(view, entries[:1], 2)] == ["d", "b"]
    assert line(QueueView(entries, paused="by a person"), entries[:1], 9) == ()


def _only_c_was_red(entries: tuple[Entry, ...], _: Candidate) -> bool | None:
    return False if entries[0].branch == "c" else None


def test_what_conflicts_or_was_red_is_passed_over_and_a_change_of_policy_ends_it(repo: GitRepo) -> None:
    configure(repo, check="'true'")
    with queue_of(repo) as queue:
        files = {"a": {"f": "1\n"}, "b": {"f": "2\n"}, "c": {"c": "1\n"}, "d": {"d": "1\n"}}
        entries = [queue.work(name, dict(made)) for name, made in files.items()]
        entries.append(queue.work("policy", {"planctl.yaml": "check: 'false'\n"}))
        entries.append(queue.work("behind", {"g": "1\n"}))
        turns = Foresight().turns(queue.bench, queue.main(), Line(tuple(entries)), _only_c_was_red)
        assert [turn.entries[0].branch for turn in turns] == ["a", "c", "d"]
        names = [repo.git("ls-tree", "--name-only", turn.candidate.tree).split() for turn in turns]
        assert ["c" in found for found in names] == [False, True, False]
        assert all("f" in found for found in names)


@pytest.mark.parametrize("seed", [1, *seldom(2, 3)])
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
