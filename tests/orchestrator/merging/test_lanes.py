"""Lanes: what is apart lands by its own check, out of order; a missed conflict merges them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.merging import processing
from orchestrator.merging.apart import Meetings
from orchestrator.merging.lanes import is_sampled
from orchestrator.merging.pausing import MERGED
from orchestrator.services import queue as service
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from orchestrator.submitting.key import landing_key
from orchestrator.submitting.standstill import noted
from tests.support.invariants import has_passed
from tests.support.process import until
from tests.support.queues import MAIN, Queue, configure, drain_beside, landed_once, queue_of, require_sound
from tests.support.records import an_entry
from tests.support.repo import GitRepo

NAMES = ("one", "two", "three")


class Held:
    """A check that waits, where the files of ``hold`` are all in its tree, until it is let go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "started")
        os.mkfifo(folder / "go")

    def command(self, file: str, then: str = "! test -e bad") -> str:
        wait = f"if test -e {file} && mkdir {self.folder}/once 2>/dev/null"
        return f"{wait}; then echo > {self.folder}/started; read go < {self.folder}/go; fi; {then}"

    def started(self) -> None:
        (self.folder / "started").read_text()

    def go(self) -> None:
        (self.folder / "go").write_text("go\n")


@pytest.fixture
def held(tmp_path: Path) -> Held:
    folder = tmp_path / "held"
    folder.mkdir()
    return Held(folder)


@pytest.fixture(autouse=True)
def sound(repo: GitRepo) -> Iterator[None]:
    yield
    require_sound(repo)


def landings(queue: Queue) -> list[str]:
    return [event.data["branch"] for event in queue.events("entry.landed")]


def until_told(repo: GitRepo, event: str, count: int = 1) -> None:
    with queue_of(repo) as other:
        until(lambda: len(other.events(event)) >= count)


def test_s13_what_is_apart_lands_by_its_own_check_and_does_not_wait(repo: GitRepo, held: Held) -> None:
    configure(repo, check=repr(held.command("one")), queue="lanes", check_jobs=3)
    with queue_of(repo) as queue:
        entries = {name: queue.work(name, {name: "1\n"}) for name in NAMES}

        def person() -> None:
            held.started()
            until_told(repo, "entry.landed", 2)
            held.go()

        drain_beside(queue, person)
        assert landings(queue)[-1] == "one", "the others did not wait for its check"
        assert set(queue.states().values()) == {"landed"}
        assert queue.checks_run() <= 4, "one for each, and perhaps a sample"
        by_lane = [e.data["proof"] for e in queue.events("entry.landed") if "lane" in e.data["proof"]]
        assert by_lane
        for entry in entries.values():
            landed_once(repo, entry.id)


def test_s12_the_second_try_of_a_red_one_holds_up_no_landing(repo: GitRepo, held: Held) -> None:
    """Red twice on a target that is green: nothing is checked once more at its turn."""
    again = f"echo > {held.folder}/started; read go < {held.folder}/go"
    first = f"mkdir {held.folder}/first 2>/dev/null && exit 1"
    count = f"echo >> {held.folder}/count"
    check = f"! test -e bad || {{ {count}; {first}; {again}; exit 1; }}"
    configure(repo, check=repr(check), queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        bad = queue.work("bad", {"bad": "1\n"})
        queue.work("one", {"one": "1\n"})
        queue.work("two", {"two": "1\n"})

        def person() -> None:
            held.started()
            until_told(repo, "entry.landed", 2)
            held.go()

        drain_beside(queue, person)
        assert queue.states() == {"bad": "rejected", "one": "landed", "two": "landed"}
        assert (held.folder / "count").read_text() == "\n\n"
        commit = str(queue.entry(bad).reason["commit"])
        assert has_passed(repo, f"{commit}^1"), "its base"


@pytest.mark.parametrize(("file", "checks"), [("apart", 1), ("one", 2), ("Makefile", 2)])
def test_l5_an_outside_push_voids_only_what_it_meets(
    repo: GitRepo, held: Held, file: str, checks: int
) -> None:
    """The check that was at work counts on, unless the push touched its files, or those of everybody."""
    configure(repo, check=repr(held.command("mine")), queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        mine = queue.work("mine", {"mine": "1\n", "one/x": "1\n"})

        def person() -> None:
            held.started()
            repo.commit("outside", {"one/x" if file == "one" else file: "1\n"})
            until_told(repo, "target.moved")
            if checks == 1:  # else it is stopped while it waits
                held.go()

        drain_beside(queue, person)
        landed = queue.entry(mine)
        assert landed.state is EntryState.LANDED
        own = [e for e in queue.events("check.started") if e.data.get("entry") == mine.id]
        assert len([e for e in own if not e.data["of_target"]]) == checks
        outside = [e for e in queue.events("check.finished") if e.data["of_target"] and e.data["passed"]]
        assert outside, "what came from outside is checked before more lands on it"


def test_s13_what_meets_is_checked_on_top_of_the_other(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad'", queue="lanes", check_jobs=3)
    repo.write("shared", "".join(f"{n}\n" for n in range(30)))
    repo.commit("shared")
    with queue_of(repo) as queue:
        lines = [f"{n}\n" for n in range(30)]
        for number, name in enumerate(NAMES):
            mine = list(lines)
            mine[number * 12] = f"{name}\n"
            queue.work(name, {"shared": "".join(mine)})
        queue.drain()
        assert landings(queue) == list(NAMES)
        trees = repo.git("log", "--first-parent", "--format=%T", "-3", "main").split()
        checked = {e.data["commit"] for e in queue.events("check.finished") if e.data["passed"]}
        assert set(trees) <= {repo.head(f"{commit}^{{tree}}") for commit in checked}, "S1, exactly"


def test_s12_a_red_one_is_refused_by_its_own_check_and_the_rest_goes_on(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad'", queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        for name in NAMES:
            queue.work(name, {name: "1\n", **({"bad": "1\n"} if name == "two" else {})})
        queue.drain()
        assert queue.states() == {"one": "landed", "two": "rejected", "three": "landed"}


@pytest.mark.parametrize("policy", ["lanes", "ranked"])
def test_what_only_its_own_turn_can_deal_with_gets_it(repo: GitRepo, policy: str) -> None:
    configure(repo, check="'true'", queue=policy, check_jobs=3)
    with queue_of(repo) as queue:
        queue.work("one", {"f": "1\n"})
        queue.work("conflicts", {"f": "2\n"})
        queue.work("guard", {"planctl.yaml": "check: 'true'\n"})
        queue.work("odd", {"src/a.py": "theirs\n"})
        queue.work("last", {"g": "1\n"})
        repo.write("src/a.py", "mine\n")
        queue.drain()
        assert queue.states() == {
            "one": "landed",
            "conflicts": "conflicted",
            "guard": "held",
            "odd": "blocked",
            "last": "landed",
        }
        repo.git("checkout", "src/a.py")


def test_s11_no_verdict_is_counted_at_its_own_turn(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad || exit 75'", queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        for name in NAMES:
            queue.work(name, {name: "1\n", **({"bad": "1\n"} if name == "two" else {})})
        queue.drain()
        assert queue.states() == {"one": "landed", "two": "held", "three": "landed"}


def test_ranked_lands_only_what_has_passed_as_it_is(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad'", queue="ranked", check_jobs=3)
    with queue_of(repo) as queue:
        for name in NAMES:
            queue.work(name, {name: "1\n", **({"bad": "1\n"} if name == "one" else {})})
        queue.drain()
        assert queue.states() == {"one": "rejected", "two": "landed", "three": "landed"}
        assert all("lane" not in e.data["proof"] for e in queue.events("entry.landed"))


def test_s13_a_missed_conflict_is_found_told_and_merges_the_lanes(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file in common, and together they break: only a check of both can tell."""
    monkeypatch.setattr(processing, "is_sampled", lambda _: True)
    configure(repo, check="'! { test -e one && test -e two; }'", queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        queue.work("one", {"one": "1\n"})
        queue.work("two", {"two": "1\n"})
        queue.drain()
        (missed,) = queue.events("queue.lanes-merged")
        assert missed.data["commit"] == queue.main()
        assert noted(queue.bench.store, MAIN, MERGED) == queue.main()
        third = queue.work("three", {"three": "1\n"})
        queue.drain()
        assert queue.entry(third).state is EntryState.QUEUED, "the target is red: nobody is blamed"
        repo.git("rm", "-q", "two")
        repo.git("commit", "-qm", "mended")
        fourth = queue.work("four", {"two": "1\n"})
        queue.drain()
        assert queue.entry(third).state is EntryState.LANDED
        assert queue.entry(fourth).state is EntryState.REJECTED, "checked together with the others now"
        service.resume(queue.bench)
        assert noted(queue.bench.store, MAIN, MERGED)
        service.resume(queue.bench, lanes=True)
        assert noted(queue.bench.store, MAIN, MERGED) is None


def test_s13_a_share_is_drawn_by_the_key_and_checked_whole(repo: GitRepo) -> None:
    """The first lands by its own tree, the others by lane: one that is drawn at least, one that is not."""
    keys = (hashlib.sha256(b"%d" % number).hexdigest() for number in range(8000))
    assert 900 < sum(is_sampled(an_entry(key)) for key in keys) < 1100, "one of eight"
    configure(repo, check="'! test -e bad'", queue="lanes", check_jobs=4)
    with queue_of(repo) as queue:
        drawn = [hand_in_one(queue, name, drawn=True) for name in ("one", "two")]
        plain = [hand_in_one(queue, name, drawn=False) for name in ("three", "four")]
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
        by_lane = {e.data["entry"] for e in queue.events("entry.landed") if "lane" in e.data["proof"]}
        whole = {e.data["commit"] for e in queue.events("check.finished") if e.data["of_target"]}
        sampled = [queue.entry(entry).landed_commit in whole for entry in drawn if entry.id in by_lane]
        assert sampled
        assert all(sampled)
        sampled = [queue.entry(entry).landed_commit in whole for entry in plain if entry.id in by_lane]
        assert sampled
        assert not any(sampled)


def hand_in_one(queue: Queue, file: str, *, drawn: bool) -> Entry:
    """A branch whose key is, or is not, one of those whose landings are sampled."""
    for number in range(200):
        branch = f"{file}-{number}"
        queue.repo.branch(branch, {file: f"{number}\n"})
        if is_sampled(an_entry(landing_key(MAIN, branch, queue.repo.head(branch)))) is drawn:
            return queue.add(branch)
    raise AssertionError("no key of 200 is")


def test_s13_a_green_sample_lets_the_rest_go_on(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "is_sampled", lambda _: True)
    configure(repo, check="'! test -e bad'", queue="lanes", check_jobs=3)
    with queue_of(repo) as queue:
        for name in NAMES:
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
        whole = [e for e in queue.events("check.finished") if e.data["of_target"]]
        by_lane = [e for e in queue.events("entry.landed") if "lane" in e.data["proof"]]
        assert len(whole) == len(by_lane) > 0


@pytest.mark.parametrize(
    ("mine", "theirs", "meet"),
    [
        ({"a/x": "1"}, {"b/x": "1"}, False),
        ({"a/x": "1"}, {"a/y": "1"}, False),
        ({"a/x": "1"}, {"a/x": "2"}, True),
        ({"a/x": "1"}, {"a": "a file"}, True),
        ({"pyproject.toml": "1"}, {"b": "1"}, True),
        ({"deep/down/Cargo.toml": "1"}, {"b": "1"}, True),
        ({".github/workflows/ci.yml": "1"}, {"b": "1"}, True),
        ({"docs/guide.md": "1"}, {"docs/guide.md.txt": "1"}, False),
    ],
)
def test_s13_what_is_apart(repo: GitRepo, mine: dict[str, str], theirs: dict[str, str], meet: bool) -> None:
    with queue_of(repo) as queue:
        a = queue.work("mine", dict(mine))
        b = queue.work("theirs", dict(theirs))
        found = Meetings()
        assert found.meet(queue.bench, a, b) is found.meet(queue.bench, b, a) is meet


def test_declared_reads_meet_what_is_written_and_plans_those_they_land_after(repo: GitRepo) -> None:
    with queue_of(repo) as queue:
        writer = queue.work("writer", {"api/v1.py": "1\n"})
        other = queue.work("other", {"b": "1\n"})
        reader = _with(other, id="r" * 20, reads=("api/",))
        found = Meetings()
        assert found.meet(queue.bench, writer, reader)
        assert found.meet(queue.bench, reader, writer)
        assert not found.meet(queue.bench, other, writer)
        after = _with(other, id="q" * 20, plan="later", after=("first",))
        assert Meetings().meet(queue.bench, after, _with(writer, plan="first"))
        lost = an_entry("lost", head="1" * 40, base="2" * 40)
        assert Meetings().meet(queue.bench, lost, writer), "what cannot be told meets everything"


def _with(entry: Entry, **changes: object) -> Entry:
    return replace(entry, **changes)  # type: ignore[arg-type]
