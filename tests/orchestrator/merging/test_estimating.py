"""Each entry's chance, on real git: remembered with what came of it, told to the planner, and shown."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from orchestrator.merging.estimating import Estimates, Learned
from orchestrator.merging.foresight import Foresight
from orchestrator.merging.lanes import Lanes, Look
from orchestrator.planning.estimate import Evidence, Experience, Traits
from orchestrator.planning.remembered import VALUE, read, written
from orchestrator.services.explaining import explain
from orchestrator.services.metrics import measure
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from orchestrator.workbench import Workbench
from tests.support.cli import planctl
from tests.support.queues import MAIN, Queue, configure, queue_of
from tests.support.repo import GitRepo


def experience(queue: Queue) -> Experience:
    return read(queue.bench.store.value(VALUE)).get(MAIN) or Experience()


def estimate(queue: Queue, entry: Entry) -> float:
    return Estimates().of(queue.bench.refreshed(), [entry])[entry.id].told


def effects(queue: Queue, entry: Entry) -> set[Evidence]:
    found = Estimates().of(queue.bench.refreshed(), [entry])[entry.id]
    return {effect.evidence for effect in found.effects}


def test_each_decision_is_remembered_with_what_was_told_of_it(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad'", queue="auto")
    with queue_of(repo) as queue:
        good = queue.work("good", {"good": "1\n", "src/b.py": "1\n"})
        bad = queue.work("bad", {"bad": "1\n"})
        expected = {entry.id: estimate(queue, entry) for entry in (good, bad)}
        queue.drain()
        past = experience(queue).past
        assert {row.id: row.landed for row in past} == {good.id: True, bad.id: False}
        assert past[0].told == expected[past[0].id], "of what was known before its check"
        assert {row.id: row.paths for row in past}[good.id] == ("good", "src/b.py")
        assert all(row.usual == 0.95 for row in past[:1])
        assert measure(queue.bench.store, queue.bench.clock).estimates["main"].outcomes == 2


def test_what_needs_no_check_says_nothing(repo: GitRepo) -> None:
    with queue_of(repo) as queue:
        queue.work("one", {"one": "1\n"})
        queue.drain()
        assert queue.states() == {"one": "landed"}
        assert queue.bench.store.value(VALUE) is None


def test_a_branch_that_was_rejected_is_known_again(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad'")
    with queue_of(repo) as queue:
        queue.work("one", {"bad": "1\n"})
        queue.drain()
        again = queue.add("one")
        assert Evidence.AGAIN in effects(queue, again)
        assert estimate(queue, again) < 0.6
        repo.git("switch", "-q", "one")
        repo.git("rm", "-q", "bad")
        repo.commit("mended", {"good": "1\n"})
        repo.git("switch", "-q", "main")
        mended = queue.add("one")
        assert mended.id != again.id
        assert Evidence.MENDED in effects(queue, mended)


def test_what_its_check_said_of_its_own_tree_counts_on_another_target(repo: GitRepo) -> None:
    """Checked where it stands, and then somebody else was faster."""
    configure(repo, check="'! test -e bad'")
    with queue_of(repo) as queue:
        queue.work("one", {"one": "1\n"})
        queue.drain()
        repo.git("update-ref", MAIN, f"{MAIN}^1")
        repo.git("reset", "-q", "--hard")
        repo.commit("outside", {"outside": "1\n"})
        again = queue.add("one")
        assert Evidence.OWN in effects(queue, again)
        assert estimate(queue, again) > 0.98


def test_what_another_version_has_written_keeps_nothing_from_landing(repo: GitRepo) -> None:
    configure(repo, check="'true'", queue="auto")
    with queue_of(repo) as queue:
        known = Experience().after(Traits("e", "p", 1), 0.9, landed=True)
        ours = written({MAIN: known})
        for number, stored in enumerate(
            (
                ours.replace('"size"', '"lines"'),
                ours.replace('"told"', '"said"'),
                json.dumps({MAIN: {"past": [], "weights": {"mean": [0.0], "spread": [[0.25]]}}}),
                json.dumps({MAIN: 1}),
                "[]",
                "{",
            )
        ):
            queue.bench.store.set_value(VALUE, stored)
            landed = queue.land(f"b{number}", {f"f{number}": "1\n"})
            assert queue.entry(landed).state is EntryState.LANDED
            assert [row.id for row in experience(queue).past] == [landed.id]
        queue.bench.store.set_value(VALUE, ours)
        assert [row.id for row in experience(queue).past] == ["e"]


def test_two_workers_of_two_targets_take_nothing_from_each_other(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one writes between what is learned here and what is stored of it."""
    configure(repo, check="'true'", queue="auto")
    other = Experience().after(Traits("e", "p", 1), 0.9, landed=True)
    learned = Estimates.learned

    def beside(self: Estimates, bench: Workbench, ended: Iterable[Entry]) -> Learned | None:
        found = learned(self, bench, ended)
        bench.store.set_value(VALUE, written({"refs/heads/other": other}))
        return found

    monkeypatch.setattr(Estimates, "learned", beside)
    with queue_of(repo) as queue:
        one = queue.land("one", {"one": "1\n"})
        known = read(queue.bench.store.value(VALUE))
        assert {target: [row.id for row in each.past] for target, each in known.items()} == {
            "refs/heads/other": ["e"],
            MAIN: [one.id],
        }


def test_the_planner_assumes_what_is_likely(repo: GitRepo) -> None:
    """Who touches the file that was always rejected is not assumed to land: the next is checked without."""
    configure(repo, check="'true'", queue="ranked", check_jobs=2)

    def trees(queue: Queue, line: tuple[Entry, ...]) -> list[int]:
        lanes, bench = Lanes(Estimates()), queue.bench.refreshed()
        lanes.outside(bench, "", queue.main())
        turns = lanes.turns(Look(bench, queue.main(), line), Foresight(), ())
        return sorted(len(repo.git("rev-list", f"main..{t.candidate.commit}").split()) for t in turns)

    with queue_of(repo) as queue:
        line = tuple(queue.work(name, {f"src/{name}": "1\n"}) for name in ("brittle", "other"))
        assert trees(queue, line) == [2, 4], "other on top of brittle"
        known = Experience()
        for number in range(40):
            brittle = number % 2
            paths = ("src/brittle",) if brittle else (f"src/{number}",)
            known = known.after(Traits(f"e{number}", f"p{number}", 1, paths), 0.8, landed=not brittle)
        queue.bench.store.set_value(VALUE, written({MAIN: known}))
        assert trees(queue, line) == [2, 2], "each by itself"


def test_p19_explain_says_how_likely_it_is_and_by_what(repo: GitRepo) -> None:
    configure(repo, check="'! test -e bad'")
    with queue_of(repo) as queue:
        for name in ("one", "and one more"):
            queue.land(name.replace(" ", "-"), {"bad": "1\n", "src/a.py": "1\n"})
        queue.work("two", {"src/a.py": "2\n"})
        chance = explain(queue.bench, "two")["chance"]
        assert 0 < chance["success"] < chance["usual"]
        assert chance["calibration"]["outcomes"] == 2
        assert explain(queue.bench, "one")["chance"] is None, "it is decided"
    said = planctl("queue", "explain", "two", repo=repo.path)
    assert "chance: " in said.stdout
    assert "of the last 2 with src/a.py 0 landed: odds x 0." in said.stdout
    assert "over 2 outcomes" in said.stdout
    with queue_of(repo) as queue:
        queue.work("three", {"src/new.py": "3\n"})
    assert "of the last" not in planctl("queue", "explain", "three", repo=repo.path).stdout, "there are none"
    assert "Brier score" in planctl("metrics", repo=repo.path).stdout
