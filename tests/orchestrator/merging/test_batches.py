"""Several entries by one check and one landing: all or none, nobody blamed but by a check of its own."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.merging import batching, landing
from orchestrator.merging import round as rounds
from orchestrator.merging.forming import Batch
from orchestrator.merging.postcheck import batch_refusal
from orchestrator.merging.tenure import Tenure
from orchestrator.services import queue as service
from orchestrator.services.revert import revert
from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Entry
from tests.support.faces import reading
from tests.support.invariants import require_invariants
from tests.support.process import run
from tests.support.queues import MAIN, Queue, configure, is_clean, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import seldom
from worktrees.candidate import Candidate
from worktrees.errors import GitFailedError

BRANCHES = ("one", "two", "three", "four")
CHECK = "test ! -e bad"


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    configure(repo, check=repr(CHECK), queue="batch")
    with queue_of(repo) as queue:
        yield queue
    require_invariants(repo, start_of(repo))


def start_of(repo: GitRepo) -> str:
    return repo.git("log", "--format=%H", "--diff-filter=A", "main", "--", "planctl.yaml")


def fill(queue: Queue, *bad: str) -> dict[str, Entry]:
    return {n: queue.work(n, {n: "1\n", **({"bad": f"{n}\n"} if n in bad else {})}) for n in BRANCHES}


def first_parents(queue: Queue) -> list[str]:
    return queue.repo.git("rev-list", "--first-parent", "--reverse", f"{start_of(queue.repo)}..main").split()


def test_s1_s5_a_batch_is_one_commit_of_the_target_with_its_members_beside(queue: Queue) -> None:
    entries = fill(queue)
    queue.drain()
    assert queue.states() == dict.fromkeys(BRANCHES, "landed")
    assert queue.checks_run() == 1
    (batch,) = first_parents(queue)
    landed = [landed_once(queue.repo, entries[name].id) for name in BRANCHES]
    assert landed == [queue.entry(entries[name]).landed_commit for name in BRANCHES]
    side = queue.repo.git("rev-list", "--first-parent", "--reverse", f"{batch}^1..{batch}^2").split()
    assert side == landed, "each on the one before"
    assert queue.repo.head(f"{batch}^{{tree}}") == queue.repo.head(f"{landed[-1]}^{{tree}}")
    subject = queue.repo.git("log", "-1", "--format=%s", batch)
    assert subject == "Merge 4 at once: one, two, three and 1 more"
    (event,) = [e for e in queue.events("entry.landed") if e.data["branch"] == "three"]
    assert event.data["proof"]["commit"] == batch
    assert event.data["proof"]["checked_trees"] == {batch: queue.repo.head(f"{batch}^{{tree}}")}
    assert is_clean(queue.repo)


def test_what_landed_in_a_batch_is_reverted_by_itself(repo: GitRepo) -> None:
    configure(repo, check=repr(CHECK), queue="batch")
    with queue_of(repo) as queue:
        for name in BRANCHES:
            queue.work(name, {name: "1\n"})
        queue.drain()
        revert(queue.bench, "two")
        queue.drain()
        assert sorted(repo.git("ls-tree", "--name-only", "main", *BRANCHES).split()) == [
            "four",
            "one",
            "three",
        ]


def test_without_a_check_one_transaction_makes_the_history_of_many(repo: GitRepo) -> None:
    start = repo.commit("nothing guards", {"start": "1\n"})
    with queue_of(repo) as queue:
        entries = fill(queue)
        queue.drain()
        landed = [landed_once(repo, entry.id) for entry in entries.values()]
        assert repo.git("rev-list", "--first-parent", "--reverse", f"{start}..main").split() == landed
        (intent,) = queue.bench.store.intents()
        assert list(intent.members) == [entry.id for entry in entries.values()]
        assert all(entry.unchecked for entry in queue.bench.store.entries())
    require_invariants(repo, start, check=False)


@pytest.mark.parametrize("bad", BRANCHES)
def test_s12_the_bad_one_is_found_by_halves_and_refused_by_its_own_check(queue: Queue, bad: str) -> None:
    entries = fill(queue, bad)
    queue.drain()
    assert queue.states() == {**dict.fromkeys(BRANCHES, "landed"), bad: "rejected"}
    alone = [
        e.data
        for e in queue.events("check.finished")
        if e.data["entry"] == entries[bad].id and not e.data["passed"] and "batch" not in e.data
    ]
    assert alone, "by a check that no other has part in"
    assert len({e["commit"] for e in alone}) == 1
    assert queue.entry(entries[bad]).reason["code"] == "red"
    assert queue.checks_run() <= 8, "four by themselves, and a red one again, would be five or more"


def test_two_that_are_bad_only_together_are_told_from_each_other(repo: GitRepo) -> None:
    configure(repo, check=repr("! { test -e two && test -e four; }"), queue="batch")
    with queue_of(repo) as queue:
        fill(queue)
        queue.drain()
        assert queue.states() == {**dict.fromkeys(BRANCHES, "landed"), "four": "rejected"}
    require_invariants(repo, start_of(repo))


def test_what_conflicts_in_a_batch_has_its_own_turn(queue: Queue) -> None:
    for name, file in (("one", "f"), ("two", "g"), ("three", "f"), ("four", "h")):
        queue.work(name, {file: f"{name}\n"})
    queue.drain()
    assert queue.states() == {**dict.fromkeys(BRANCHES, "landed"), "three": "conflicted"}
    assert len(first_parents(queue)) == 2


def test_p18_a_conflict_with_a_member_of_a_batch_says_whose_it_is(queue: Queue) -> None:
    first = queue.work("first", {"f": "1\n"})
    queue.work("second", {"g": "1\n"})
    late = queue.work("late", {"f": "2\n"})
    queue.drain()
    assert queue.states() == {"first": "landed", "second": "landed", "late": "conflicted"}
    (other,) = queue.entry(late).reason["others"]
    assert (other["entry"], other["commit"]) == (first.id, queue.entry(first).landed_commit)
    assert other["commit"] != queue.main(), "they landed by one commit over both"


def test_serially_nobody_works_out_who_could_land_together(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    work_out = rounds.line
    monkeypatch.setattr(rounds, "line", lambda *a: asked.append(1) or work_out(*a))
    for policy, is_asked in (("serial", False), ("batch", True)):
        configure(repo, check=repr(CHECK), queue=policy)
        with queue_of(repo) as queue:
            queue.land(f"{policy}-work", {policy: "1\n"})
        assert bool(asked) is is_asked


def test_p24_a_red_target_is_told_by_the_first_batch_and_nobody_is_blamed(repo: GitRepo) -> None:
    configure(repo, check="test -e never", queue="batch")
    with queue_of(repo) as queue:
        fill(queue)
        queue.drain()
        assert queue.states() == dict.fromkeys(BRANCHES, "queued")
        assert {e.reason["code"] for e in queue.bench.store.entries()} == {"target-red"}
        assert queue.checks_run() == 2, "that of the batch, and the target's own"


def test_s11_a_batch_without_a_verdict_is_looked_at_in_parts(repo: GitRepo) -> None:
    configure(repo, check=repr("test ! -e bad || exit 75"), queue="batch")
    with queue_of(repo) as queue:
        entries = fill(queue, "two")
        queue.drain()
        assert queue.states() == {**dict.fromkeys(BRANCHES, "landed"), "two": "held"}
        assert queue.entry(entries["two"]).reason["code"] == "no-verdict"


def test_p25_what_meets_a_users_edits_is_blocked_and_the_others_land(queue: Queue) -> None:
    entries = fill(queue)
    blocked = queue.work("blocked", {"src/a.py": "theirs\n"}, priority=99)
    queue.repo.write("src/a.py", "mine\n")
    queue.drain()
    assert {queue.entry(e).state for e in entries.values()} == {EntryState.LANDED}
    assert queue.entry(blocked).state is EntryState.BLOCKED
    assert queue.entry(blocked).reason["paths"] == ["src/a.py"]
    assert (queue.repo.path / "src/a.py").read_text() == "mine\n"
    queue.repo.git("checkout", "src/a.py")
    queue.drain()
    assert queue.entry(blocked).state is EntryState.LANDED


def test_what_changes_the_guard_is_in_no_batch(queue: Queue) -> None:
    queue.work("one", {"one": "1\n"})
    policy = queue.work("policy", {"planctl.yaml": "check: 'true'\n"})
    queue.work("two", {"two": "1\n"})
    queue.drain()
    assert queue.states() == {"one": "landed", "policy": "held", "two": "landed"}
    assert queue.entry(policy).reason["code"] == "policy-change"
    queue.repo.git("branch", "-D", "policy")


@pytest.mark.parametrize("what", ["drop", "push"])
def test_s5_who_is_dropped_or_overtaken_during_the_check_ends_no_batch(repo: GitRepo, what: str) -> None:
    """A person drops an entry, or moves the target, while the first check is at work."""
    outside = repo.branch("outside", {"outside": "1\n"})
    started, go, first = (repo.path.parent / name for name in ("started", "go", "first"))
    os.mkfifo(started)
    os.mkfifo(go)
    wait = f"if mkdir {first} 2>/dev/null; then echo > {started}; cat {go}; fi"
    configure(repo, check=repr(f"{wait}; {CHECK}"), queue="batch")

    def person() -> None:
        started.read_text()
        if what == "drop":
            assert run("queue", "drop", "two", cwd=repo.path).code == 0
        else:
            repo.git("merge", "-q", "--no-edit", outside)
        go.write_text("go")

    with queue_of(repo) as queue:
        fill(queue)
        beside = threading.Thread(target=person)
        beside.start()
        queue.drain()
        beside.join()
        left = {"two": "dropped"} if what == "drop" else {}
        assert queue.states() == {**dict.fromkeys(BRANCHES, "landed"), **left}
        assert (repo.path / "two").exists() is (what == "push")
    require_invariants(repo, start_of(repo))


def test_one_red_of_an_entry_by_itself_may_be_an_accident(repo: GitRepo) -> None:
    marker = repo.path.parent / "was-red"
    flaky = f"test ! -e one || test -e {marker} || {{ touch {marker}; false; }}"
    configure(repo, check=repr(flaky), queue="batch")
    with queue_of(repo) as queue:
        entry = queue.work("one", {"one": "1\n"})
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        (landed,) = queue.events("entry.landed")
        assert landed.data["proof"]["accidents"] == 1
    require_invariants(repo, start_of(repo))


def test_s12_red_twice_with_a_green_base_is_no_accident(queue: Queue) -> None:
    entry = queue.work("one", {"bad": "1\n"})
    queue.drain()
    assert queue.entry(entry).state is EntryState.REJECTED
    runs = [(e.data["of_target"], e.data["passed"]) for e in queue.events("check.finished")]
    assert runs == [(False, False), (True, True), (False, False)]


def test_s5_a_landing_cut_short_between_its_references_is_undone_whole_and_made_again(repo: GitRepo) -> None:
    configure(repo, check=repr(CHECK), queue="batch")
    for name in BRANCHES:
        repo.branch(name, {name: "1\n"})
    killed = run("merge", *BRANCHES, cwd=repo.path, env={"PLANCTL_KILL_AT": "landing.refs:before"})
    assert killed.code == -signal.SIGKILL
    with reading(repo) as store:
        (intent,) = store.intents({IntentState.OPEN})
        names = {e.id: e.branch for e in store.entries()}
    assert len(intent.members) == len(BRANCHES)
    for key in list(intent.members)[:2]:  # git's file backend renames one after the other, the target last
        repo.git("update-ref", f"refs/planctl/landed/{names[key]}/{key}", intent.members[key])
    again = run("merge", *BRANCHES, cwd=repo.path)
    assert again.code == 0, again
    for key in names:
        landed_once(repo, key)
    require_invariants(repo, start_of(repo))


def test_s2_s6_a_wrong_commit_over_a_batch_is_refused(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What forms the commit is wrong in every way there is; each is found before a reference moves."""
    repo, bench = queue.repo, queue.bench
    old = queue.main()
    entries = fill(queue)
    tree, other = repo.head(f"{MAIN}^{{tree}}"), repo.head("one^{tree}")
    one, two = repo.head("one"), repo.head("two")

    def over(tree_: str, *parents: str) -> Candidate:
        commit = repo.git("commit-tree", tree_, *(w for p in parents for w in ("-p", p)), "-m", "wrong")
        return Candidate(commit, tree_, (commit,))

    assert batch_refusal(bench, old, one, over(other, old, one), {}) is None
    for wrong in (over(other, old), over(other, one, old), over(other, old, two), over(other, old, one, two)):
        refusal = batch_refusal(bench, old, one, wrong, {})
        assert refusal
        assert refusal.code == "wrong-parent"
    refusal = batch_refusal(bench, old, one, over(tree, old, one), {})
    assert refusal
    assert refusal.code == "other-tree"
    right = over(other, old, one)
    refusal = batch_refusal(bench, old, one, right, {right.commit: tree})
    assert refusal
    assert "the check spoke of" in refusal.detail
    real = batching.form

    def wrongly(*known: object) -> Batch | None:
        made = real(*known)  # type: ignore[arg-type]
        return made and replace(made, over=over(made.candidate.tree, old, one).commit)

    monkeypatch.setattr(batching, "form", wrongly)
    queue.drain()
    assert {queue.entry(e).state for e in entries.values()} == {EntryState.LANDED}, "each by itself"
    assert len(first_parents(queue)) == len(BRANCHES)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("seed", [1, *seldom(2)])
def test_p6_what_lands_in_batches_is_what_one_by_one_would(
    repo: GitRepo, tmp_path: Path, seed: int, jobs: int
) -> None:
    """Some are bad by themselves, some together with an earlier one, some conflict."""
    dice = random.Random(seed)
    (tmp_path / "check").write_text("! test -e bad && test $(ls pair 2>/dev/null | wc -l) -lt 2")
    configure(repo, check=repr(f"sh {tmp_path}/check"), queue="batch", check_jobs=jobs)
    expected, pairs, shared = {}, 0, False
    with queue_of(repo) as queue:
        for number in range(14):
            name, kind = f"b{number:02}", dice.choice([*["good"] * 5, "bad", "pair", "shared"])
            file = {"bad": "bad", "pair": f"pair/{name}", "shared": "shared"}.get(kind, name)
            queue.work(name, {file: f"{name}\n"})
            out = {"bad": "rejected", "pair": "rejected" if pairs else "landed"}
            expected[name] = out.get(kind, "conflicted" if kind == "shared" and shared else "landed")
            pairs, shared = pairs or kind == "pair", shared or kind == "shared"
        queue.drain()
        assert queue.states() == expected
        assert len(first_parents(queue)) < list(expected.values()).count("landed"), "some landed together"
    require_invariants(repo, start_of(repo))


def test_a_person_reads_why_a_member_of_a_red_batch_waits(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(queue, "four")
    seen: list[str] = []
    real = Tenure.settle

    def settle(tenure: Tenure, entry: Entry, to: EntryState, **changes: object) -> Entry:
        if to is EntryState.QUEUED:
            seen.append(f"{dict(changes['reason'])['code']}: {dict(changes['reason'])['detail']}")  # type: ignore[call-overload]
        return real(tenure, entry, to, **changes)

    monkeypatch.setattr(Tenure, "settle", settle)
    queue.drain()
    assert seen[0] == "batch: the check of 4 together failed with exit 1; a part of them is checked next"
    history = [e.data.get("batch") for e in queue.events("check.started")]
    assert history[0] == [e.id for e in queue.bench.store.entries()]


def test_l1_a_drop_of_everything_leaves_an_empty_queue(queue: Queue) -> None:
    for entry in fill(queue).values():
        service.drop(queue.bench, entry.id)
    queue.drain()
    assert queue.states() == dict.fromkeys(BRANCHES, "dropped")
    assert queue.checks_run() == 0
    require_sound(queue.repo)


def test_one_that_meets_a_users_edits_does_not_break_up_the_rest(queue: Queue) -> None:
    for number in range(12):
        queue.work(f"b{number}", {"src/a.py": "theirs\n"} if number == 7 else {f"f{number}": "1\n"})
    queue.repo.write("src/a.py", "mine\n")
    queue.drain()
    states = list(queue.states().values())
    assert (states.count("landed"), states.count("blocked")) == (11, 1)
    assert queue.checks_run() <= 5, "twelve would be one for each"
    queue.repo.git("checkout", "src/a.py")
    queue.drain()


def test_a_batch_that_is_made_and_not_yet_noted_is_finished_by_the_next_tenure(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = landing.finish, list[int]()

    def fails_once(*known: Any, **more: Any) -> tuple[Entry, ...]:
        if not failed:
            failed.append(1)
            raise GitFailedError(("rev-parse",), 128, "a disk")
        return real(*known, **more)

    monkeypatch.setattr(landing, "finish", fails_once)
    fill(queue)
    queue.drain()
    assert failed
    assert queue.states() == dict.fromkeys(BRANCHES, "landed")
    assert queue.events("target.moved") == [], "it was its own landing"
    assert queue.checks_run() == 1
    assert all(e.data["proof"]["recovered"] for e in queue.events("entry.landed"))
