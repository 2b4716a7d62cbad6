"""What lanes must not do, however the moments fall: land what meets untested, lose a sample, never rest."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

from orchestrator.merging import processing
from orchestrator.merging.estimating import Estimates
from orchestrator.merging.foresight import Foresight, Turn
from orchestrator.merging.lanes import SAMPLE, Lanes, Look
from orchestrator.merging.pausing import MERGED, SAMPLED, UNPROVEN
from orchestrator.services import queue as service
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from orchestrator.submitting.key import landing_key
from orchestrator.submitting.standstill import noted
from tests.support.invariants import require_invariants
from tests.support.process import run
from tests.support.queues import MAIN, Queue, configure, queue_of
from tests.support.repo import GitRepo
from tests.support.slices import seldom

PLANCTL = f"env -u GIT_DIR {sys.executable} -m orchestrator.cli"
TOGETHER = "'! { test -e one && test -e two; }'"


@pytest.fixture
def all_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "is_sampled", lambda _: True)


def by_lane(queue: Queue) -> list[str]:
    return [e.data["branch"] for e in queue.events("entry.landed") if "lane" in e.data["proof"]]


def drawn(repo: GitRepo, name: str, files: dict[str, str | bytes]) -> str:
    """A branch of these files whose key is drawn for a sample."""
    number = 0
    while True:
        branch = f"{name}{number}"
        head = repo.branch(branch, {**files, f"drawn-{branch}": "1\n"})
        if int(landing_key(MAIN, branch, head)[:8], 16) % SAMPLE == 0:
            return branch
        number += 1


@pytest.mark.parametrize("seed", [4, *seldom(5)])
def test_s1_ranked_lands_only_what_has_passed_as_it_is(repo: GitRepo, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    (tmp_path / "check").write_text("! test -e bad && test $(ls pair 2>/dev/null | wc -l) -lt 2")
    start = configure(repo, check=repr(f"sh {tmp_path}/check"), queue="ranked", check_jobs=2)
    expected, pairs = {}, 0
    with queue_of(repo) as queue:
        for number in range(10):
            name, kind = f"b{number}", dice.choice(["good", "good", "bad", "pair"])
            queue.work(name, {{"bad": "bad", "pair": f"pair/{name}"}.get(kind, name): f"{name}\n"})
            expected[name] = "rejected" if kind == "bad" or (kind == "pair" and pairs) else "landed"
            pairs += kind == "pair"
        queue.drain()
        assert queue.states() == expected
        assert by_lane(queue) == []
        assert queue.checks_run() <= 2.5 * len(expected), "few in vain"
    require_invariants(repo, start)


def test_who_looks_from_another_tip_is_told_nothing_new(repo: GitRepo) -> None:
    """Between a landing and the next look the stacks speak of the new target already."""
    configure(repo, check="'true'", queue="lanes", check_jobs=3)
    with queue_of(repo) as queue:
        line = tuple(queue.work(name, {name: "1\n"}) for name in ("a", "b"))
        bench, tip = queue.bench.refreshed(), queue.main()
        lanes, foresight = Lanes(Estimates()), Foresight()
        lanes.outside(bench, "", tip)
        first, second = lanes.turns(Look(bench, tip, line), foresight, ())
        lanes.ended(first, True)
        assert lanes.next(bench, line) == line[0]
        at_work = lanes.turns(Look(bench, tip, line[1:], line[0]), foresight, (second,))
        assert at_work == (second,), "it is about to land: what meets it is not begun without it"
        repo.git("merge", "-q", "--no-edit", "a")
        lanes.has_landed(bench, line[:1], queue.main())
        assert lanes.turns(Look(bench, tip, line[1:]), foresight, ()) == (), "the old tip"
        (again,) = lanes.turns(Look(bench, queue.main(), line[1:]), foresight, ())
        assert isinstance(again, Turn)
        repo.git("reset", "-q", "--hard", tip)


def test_a_blocked_entry_of_an_earlier_tenure_lands_beside_the_others(repo: GitRepo) -> None:
    configure(repo, check="'true'", queue="lanes", check_jobs=3)
    with queue_of(repo) as queue:
        queue.work("blocked", {"src/a.py": "theirs\n"})
        repo.write("src/a.py", "mine\n")
        queue.drain()
        assert queue.states() == {"blocked": "blocked"}
        repo.git("checkout", "src/a.py")
        queue.work("first", {"first": "1\n"}, priority=90)
        for name in ("second", "third"):
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
        assert queue.events("queue.lost") == []


@pytest.mark.usefixtures("all_sampled")
def test_a_sample_without_a_verdict_is_asked_once_and_makes_the_queue_wait(repo: GitRepo) -> None:
    configure(repo, check="'if test -e one && test -e two; then exit 75; fi'", queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        for name in ("one", "two"):
            queue.work(name, {name: "1\n"})
        queue.drain()
        ran, looks = queue.checks_run(), []
        queue.worker().drain(lambda idle: looks.append(idle) or len(looks) > 4)  # type: ignore[func-returns-value]
        assert queue.checks_run() == ran + 1, "once in each tenure"
        service.pause(queue.bench, "by a person")
        queue.drain()
        assert queue.checks_run() == ran + 1
        service.resume(queue.bench)
        assert noted(queue.bench.store, MAIN, SAMPLED) is None


def met(folder: Path) -> str:
    """``TOGETHER``; whichever of the two is checked alone waits until the other is, once."""
    os.mkfifo(folder / "meeting")
    (folder / "check").write_text(
        f"""if test -e one && test -e two; then exit 1; fi
        test -e {folder}/met && exit
        if test -e one; then : > {folder}/meeting; else : < {folder}/meeting; fi
        : > {folder}/met"""
    )
    return repr(f"sh {folder}/check")


@pytest.mark.parametrize("moment", ["landing.refs:before:2", "landing.refs:after:2"])
def test_s13_a_sample_outlives_its_worker(repo: GitRepo, tmp_path: Path, moment: str) -> None:
    configure(repo, check=met(tmp_path), queue="lanes", check_jobs=2)
    names = (drawn(repo, "a", {"one": "1\n"}), drawn(repo, "b", {"two": "1\n"}))
    killed = run("merge", *names, cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    assert killed.code == -signal.SIGKILL
    run("merge", *names, cwd=repo.path)
    with queue_of(repo) as queue:
        if moment.startswith("landing.refs:after"):
            assert len(queue.events("queue.lanes-merged")) == 1
            recovered = queue.events("entry.landed")[-1].data["proof"]
            assert recovered["recovered"]
            assert recovered["lane"]
        else:  # what was known of the check died with the worker, so the second was checked on the first
            assert sorted(queue.states().values()) == ["landed", "rejected"]


def test_s13_whatever_finds_the_target_red_after_landings_by_lane_merges_them(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the check of a person's push, which has nothing to do with it."""
    monkeypatch.setattr(processing, "is_sampled", lambda _: False)
    configure(repo, check=TOGETHER, queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        for name in ("one", "two"):
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert len(by_lane(queue)) == 1
        assert noted(queue.bench.store, MAIN, UNPROVEN) == queue.main()
        repo.commit("a push", {"apart": "1\n"})
        queue.work("three", {"three": "1\n"})
        queue.drain()
        (told,) = queue.events("queue.lanes-merged")
        assert told.data["since"]
        service.resume(queue.bench)
        assert noted(queue.bench.store, MAIN, MERGED), "it needs --lanes"
        repo.git("rm", "-q", "two")
        repo.git("commit", "-qm", "mended")
        queue.drain()
        assert queue.entry(queue.bench.store.entries()[-1]).state is EntryState.LANDED
        assert noted(queue.bench.store, MAIN, UNPROVEN) is None


def test_a_landing_by_its_own_tree_proves_what_is_below(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "is_sampled", lambda _: False)
    configure(repo, check="'true'", queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        for name in ("one", "two"):
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert noted(queue.bench.store, MAIN, UNPROVEN)
        queue.land("three", {"three": "1\n"})
        assert noted(queue.bench.store, MAIN, UNPROVEN) is None
        explained = [service.require_entry(queue.bench, name).reason for name in ("one", "two", "three")]
        assert [reason.get("rests") for reason in explained].count("lane") == 1


def test_a_renamed_folder_has_new_files_in_it_checked_again(repo: GitRepo) -> None:
    """They are apart by their paths; the merge takes the new file along into the other folder."""
    repo.git("config", "merge.directoryRenames", "true")
    for number in range(3):
        repo.write(f"lib/{number}.py", f"{number}\n" * 9)
    repo.commit("lib")
    configure(repo, check="'! test -e pkg/new.py'", queue="lanes", check_jobs=2)
    with queue_of(repo) as queue:
        repo.git("checkout", "-qb", "renames")
        repo.git("mv", "lib", "pkg")
        repo.commit("renamed")
        repo.git("checkout", "-q", "main")
        queue.add("renames")
        queue.work("adds", {"lib/new.py": "new\n"})
        queue.drain()
        assert sorted(queue.states().values()) == ["landed", "rejected"]


def test_root_files_count_from_the_commit_that_names_them(repo: GitRepo) -> None:
    configure(repo, check=TOGETHER, queue="lanes", check_jobs=2)

    def turns(lanes: Lanes, queue: Queue, line: tuple[Entry, ...]) -> list[int]:
        found = lanes.turns(Look(queue.bench.refreshed(), queue.main(), line), Foresight(), ())
        return [len(repo.git("rev-list", f"main..{t.candidate.commit}").split()) for t in found]

    with queue_of(repo) as queue:
        line = (queue.work("one", {"one": "1\n"}), queue.work("two", {"two": "1\n"}))
        lanes = Lanes(Estimates())
        lanes.outside(queue.bench.refreshed(), "", queue.main())
        assert turns(lanes, queue, line) == [2, 2], "each by itself"
        before = queue.main()
        configure(repo, check=TOGETHER, queue="lanes", check_jobs=2, root_files="[one]")
        lanes.renew()
        lanes.outside(queue.bench.refreshed(), before, queue.main())
        assert 4 in turns(lanes, queue, line), "on top of each other"


@pytest.mark.parametrize("policy", ["serial", *seldom("batch"), "lanes"])
def test_a_pause_during_a_check_holds_the_landing(repo: GitRepo, policy: str) -> None:
    """The check itself pauses the queue, as a person would meanwhile."""
    done = repo.path.parent / "paused"
    meanwhile = f"mkdir {done} 2>/dev/null && cd {repo.path} && {PLANCTL} queue pause"
    configure(repo, check=repr(f"{meanwhile}; true"), queue=policy)
    with queue_of(repo) as queue:
        for name in ("one", "two"):
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert set(queue.states().values()) == {"queued"}
        assert {e.reason["code"] for e in queue.bench.store.entries()} == {"paused"}
        ran = queue.checks_run()
        service.resume(queue.bench)
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
        assert queue.checks_run() <= ran + 1 + (policy == "lanes"), "by the verdict that there is"


def test_every_wait_in_lanes_has_a_true_reason(repo: GitRepo) -> None:
    out = repo.path.parent / "reasons"
    program = f"cd {repo.path} && {PLANCTL} queue list --json > {out}; true"
    configure(repo, check=repr(f"mkdir {out}.once 2>/dev/null && {program}; true"), queue="lanes")
    with queue_of(repo) as queue:
        for name in ("one", "two"):
            queue.work(name, {name: "1\n"})
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
    assert "checked as free places and what it meets before it allow" in out.read_text()
