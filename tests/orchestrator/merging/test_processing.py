"""One entry, from the queue to its end, on real git."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.merging import making
from orchestrator.services import queue as service
from orchestrator.states import EntryState
from tests.support.queues import Queue, configure, is_clean, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from worktrees.candidate import Candidate
from worktrees.errors import GitFailedError


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


def test_s2_4_commits_reach_main_one_at_a_time(queue: Queue) -> None:
    old = queue.main()
    entries = [queue.work(f"w{n}", {f"new{n}.txt": f"{n}\n"}) for n in range(3)]
    queue.drain()
    assert queue.states() == {"w0": "landed", "w1": "landed", "w2": "landed"}
    first_parents = queue.repo.git("rev-list", "--first-parent", f"{old}..main").split()
    assert first_parents == [queue.entry(e).landed_commit for e in reversed(entries)]
    assert is_clean(queue.repo)
    assert (queue.repo.path / "new2.txt").read_text() == "2\n"


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_s1_every_method_lands_and_marks_what_was_not_checked(queue: Queue, method: str) -> None:
    queue.repo.git("checkout", "-q", "-b", "w")
    queue.repo.commit("one", {"one.txt": "1\n"})
    queue.repo.commit("two", {"two.txt": "2\n"})
    queue.repo.git("checkout", "-q", "main")
    old = queue.repo.commit("meanwhile", {"docs/guide.md": "other\n"})
    entry = queue.add("w", method=method)
    queue.drain()
    landed = queue.entry(entry)
    assert (landed.state, landed.unchecked, landed.landed_commit) == (EntryState.LANDED, True, queue.main())
    commits = {"merge": 3, "squash": 1, "rebase": 2}[method]
    assert len(queue.repo.git("rev-list", "main", f"^{old}").split()) == commits
    assert queue.repo.git("diff", "--name-only", old, "main").split() == ["one.txt", "two.txt"]
    assert is_clean(queue.repo)


def test_a_conflict_has_all_paths_stages_and_messages_and_others_go_on(queue: Queue) -> None:
    one = queue.work("one", {"src/a.py": "one\n", "src/b.py": "one\n"})
    two = queue.work("two", {"src/a.py": "two\n", "src/b.py": "two\n"})
    three = queue.work("three", {"three.txt": "3\n"})
    queue.drain()
    assert queue.states() == {"one": "landed", "two": "conflicted", "three": "landed"}
    why = queue.entry(two).reason
    assert why["code"] == "conflict"
    assert why["paths"] == ["src/a.py", "src/b.py"]
    assert [(path, stage) for path, _, _, stage in why["stages"]] == [
        ("src/a.py", 1), ("src/a.py", 2), ("src/a.py", 3),
        ("src/b.py", 1), ("src/b.py", 2), ("src/b.py", 3),
    ]  # fmt: skip
    assert "CONFLICT (content): Merge conflict in src/a.py" in why["messages"]
    assert queue.repo.show("main", "src/a.py") == "one\n"
    assert queue.repo.head("two") == queue.entry(two).head
    assert landed_once(queue.repo, one.id) != landed_once(queue.repo, three.id)


def test_a_red_check_rejects_with_the_log_after_the_base_was_shown_green(queue: Queue) -> None:
    configure(queue.repo, check="'! test -e broken || { echo it is broken; exit 3; }'")
    bad = queue.work("bad", {"broken": "yes\n"})
    good = queue.work("good", {"fine": "yes\n"})
    old = queue.main()
    queue.drain()
    assert queue.states() == {"bad": "rejected", "good": "landed"}
    why = queue.entry(bad).reason
    assert (why["code"], why["exit_code"], why["tail"]) == ("red", 3, ["it is broken"])
    checked = [e.data["commit"] for e in queue.events("check.started")]
    assert checked[1] == old, "S12: the base is checked before anybody is blamed"
    landed = queue.entry(good)
    assert not landed.unchecked
    assert landed.tree == queue.repo.head("main^{tree}")


def test_p24_a_red_base_pauses_the_queue_and_blames_nobody(queue: Queue) -> None:
    configure(queue.repo, check="test -e never", queue="serial")
    one = queue.work("one", {"one.txt": "1\n"})
    two = queue.work("two", {"two.txt": "2\n"})
    queue.drain()
    assert queue.states() == {"one": "queued", "two": "queued"}
    assert queue.entry(one).reason["code"] == "target-red"
    assert queue.entry(two).reason["code"] == "paused"
    assert queue.entry(two).reason["detail"].startswith("target-red")
    assert queue.events("queue.paused")[0].data["why"].startswith("target-red")
    queue.repo.commit("mended", {"never": "now it is\n"})
    queue.drain()
    assert queue.states() == {"one": "landed", "two": "landed"}


# -- checks and verdicts -------------------------------------------------------------------------------


KILLED = "sh -c 'kill -9 $$'"
"""The shell in which the check runs goes on, and tells it as 137."""


@pytest.mark.parametrize(
    "command", ["exit 75", "exit 125", "exit 126", "/nowhere/to/be/found", "kill -9 $$", KILLED]
)
def test_s11_no_verdict_blames_nobody_and_is_held_after_three(queue: Queue, command: str) -> None:
    configure(queue.repo, check=json.dumps(f"test ! -e odd || {command}"), queue="serial")
    odd = queue.work("odd", {"odd": "1\n"})
    queue.work("plain", {"plain": "1\n"})
    queue.drain()
    assert queue.states() == {"odd": "held", "plain": "landed"}
    why = queue.entry(odd).reason
    assert (why["code"], why["times"]) == ("no-verdict", 3)
    assert why["detail"].startswith("no verdict: ")
    assert Path(why["log"]).exists()
    landed = queue.events("entry.landed")[0].sequence
    tried = [e.sequence for e in queue.events("check.finished") if e.data["passed"] is None]
    assert tried[0] < landed < tried[1], "others pass an entry whose check says nothing"
    configure(queue.repo, check="'true'")
    queue.drain()
    assert queue.entry(odd).state is EntryState.HELD, "until a person says so"
    service.add(queue.bench, "odd")
    queue.drain()
    assert queue.entry(odd).state is EntryState.LANDED


def test_s11_a_time_out_is_no_verdict(queue: Queue) -> None:
    hang = queue.repo.path.parent / "hang"
    os.mkfifo(hang)
    configure(queue.repo, check=repr(f"test ! -e slow || cat {hang}"), check_timeout="1s")
    slow = queue.work("slow", {"slow": "1\n"})
    queue.drain()
    assert queue.entry(slow).state is EntryState.HELD
    assert queue.entry(slow).reason["detail"] == "no verdict: timed out"


def test_a_setup_that_fails_is_no_verdict(queue: Queue) -> None:
    configure(queue.repo, check="'true'", setup="exit 3")
    one = queue.work("one", {"one": "1\n"})
    queue.drain()
    assert queue.entry(one).state is EntryState.HELD
    assert queue.entry(one).reason["detail"] == "no verdict: setup ended with exit 3"


def test_a_check_slot_that_cannot_be_had_is_no_verdict(queue: Queue) -> None:
    configure(queue.repo, check="'true'", pool="{max: 1}")
    keeper = queue.worker()._keeper
    keeper.take("check", attempt="somebody")
    one = queue.work("one", {"one": "1\n"})
    queue.drain()
    assert queue.entry(one).reason["detail"].startswith("no verdict: no worktree can be had")


def test_p8_a_verdict_is_reused_by_tree_and_said_so(queue: Queue) -> None:
    configure(queue.repo, check="test -e README.md")
    one = queue.work("one", {"one": "1\n"})
    queue.repo.write("one", "in the way\n")
    queue.drain()
    assert (queue.entry(one).state, queue.checks_run()) == (EntryState.BLOCKED, 1)
    (queue.repo.path / "one").unlink()
    queue.drain()
    assert (queue.entry(one).state, queue.checks_run()) == (EntryState.LANDED, 1)
    (reused,) = queue.events("check.reused")
    assert reused.data["entry"] == one.id
    assert reused.data["tree"] == queue.repo.head("main^{tree}")


@pytest.mark.parametrize("change", ["command", "environment", "age", "tainted"])
def test_s11_another_command_environment_or_age_is_another_verdict(
    queue: Queue, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = "echo x >> README.md" if change == "tainted" else "test -e README.md"
    configure(queue.repo, check=check, check_env="[SETTING]")
    queue.work("one", {"one": "1\n"})
    queue.repo.write("one", "in the way\n")
    queue.drain()
    assert queue.checks_run() == 1
    (queue.repo.path / "one").unlink()
    if change == "command":
        # an override of the command line: the tree stays the same
        reload = queue.bench.reload

        def other() -> Any:
            settings = reload()
            return replace(settings, project=replace(settings.project, check="test -e README.md -a -e one"))

        queue.bench = replace(queue.bench, reload=other)
    elif change == "environment":
        monkeypatch.setenv("SETTING", "2")
    elif change == "age":
        clock = queue.bench.clock
        now = clock.now()
        monkeypatch.setattr(type(clock), "now", lambda _: f"2999{now[4:]}")
    queue.drain()
    assert queue.checks_run() == 2
    assert queue.states() == {"one": "landed"}


def test_s1_every_first_parent_commit_of_a_rebase_has_its_verdict(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e half -o -e whole", method="rebase")
    queue.repo.git("checkout", "-q", "-b", "halves")
    queue.repo.commit("half", {"half": "1\n"})
    queue.repo.commit("whole", {"whole": "1\n"})
    queue.repo.git("checkout", "-q", "main")
    entry = queue.add("halves")
    queue.drain()
    ended = queue.entry(entry)
    assert ended.state is EntryState.REJECTED, "its first commit alone is red"
    assert queue.repo.git("log", "-1", "--format=%s", ended.reason["commit"]) == "half"
    again = queue.add("halves", method="squash")
    assert again.id == entry.id
    ok = queue.work("fine", {"fine": "1\n"})
    queue.drain()
    old = queue.entry(ok).reason
    assert old == {}
    proof = queue.events("entry.landed")[-1].data["proof"]
    assert {*proof["checked_trees"]} == {*proof["steps"]}


def test_a_plans_own_check_is_in_addition_and_blames_it_alone(queue: Queue) -> None:
    configure(queue.repo, check="test -e README.md")
    queue.repo.branch("own", {"own": "1\n"})
    entry = queue.add("own")
    queue.bench.store.update_entry(entry, check="exit 9")
    queue.drain()
    ended = queue.entry(entry)
    assert (ended.state, ended.reason["exit_code"]) == (EntryState.REJECTED, 9)
    assert ended.reason["detail"] == "the plan's own check failed with exit 9"


def test_require_check_refuses_to_land_unchecked(queue: Queue) -> None:
    configure(queue.repo, require_check="true")
    entry = queue.land("one", {"one": "1\n"})
    assert (entry.state, entry.reason["code"]) == (EntryState.HELD, "no-check")


# -- policy (P23) --------------------------------------------------------------------------------------


def test_p23_the_check_is_the_targets_not_the_branchs_nor_the_working_copys(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    bad = queue.work("bad", {"bad": "1\n"})
    queue.repo.write("planctl.yaml", "check: 'true'\n")
    queue.drain()
    assert queue.entry(bad).state is EntryState.REJECTED


@pytest.mark.parametrize("text", ["check: 'true'\n", "method: squash\n", "", "check: [\n", "target: other\n"])
def test_p23_a_landing_that_changes_what_guards_the_target_waits_for_a_person(
    queue: Queue, text: str
) -> None:
    configure(queue.repo, check="test -e README.md")
    weak = queue.work("weak", {"planctl.yaml": text})
    queue.drain()
    held = queue.entry(weak)
    assert (held.state, held.reason["code"]) == (EntryState.HELD, "policy-change")
    queue.drain()
    assert queue.entry(weak).state is EntryState.HELD
    service.let_pass(queue.bench, [held])
    queue.drain()
    assert queue.entry(weak).state is EntryState.LANDED


def test_p23_the_new_policy_counts_from_its_landing_on(queue: Queue) -> None:
    configure(queue.repo, check="test -e README.md")
    strict = queue.work("strict", {"planctl.yaml": "check: test ! -e bad\n"})
    bad = queue.work("bad", {"bad": "1\n"})
    queue.drain(allow_policy_change=True)
    assert queue.entry(strict).state is EntryState.LANDED
    assert queue.entry(bad).state is EntryState.REJECTED, "checked by what guards the target since"


def test_settings_that_an_outside_commit_broke_stop_the_queue_and_say_so(queue: Queue) -> None:
    configure(queue.repo, check="test -e README.md")
    one = queue.work("one", {"one": "1\n"})
    worker = queue.worker()
    queue.repo.commit("broken", {"planctl.yaml": "check: [\n"})
    worker.drain(lambda idle: idle)
    assert queue.entry(one).state is EntryState.QUEUED
    assert "cannot be used" in queue.entry(one).reason["detail"]
    configure(queue.repo, check="test -e README.md")
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED


# -- what git fails on, what the post-check refuses ----------------------------------------------------


def test_an_assertion_in_gits_merge_holds_the_entry_and_others_go_on(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = making.make_candidate

    def failing(git: Any, objects: Any, method: Any, old: str, work: Any, message: str, **more: Any) -> Any:
        if "odd" in message:
            raise GitFailedError(("merge-tree",), 134, "git: merge-ort.c:4321: Assertion `0' failed.")
        return real(git, objects, method, old, work, message, **more)

    monkeypatch.setattr(making, "make_candidate", failing)
    odd = queue.work("odd", {"odd": "1\n"})
    queue.work("plain", {"plain": "1\n"})
    queue.drain()
    assert queue.states() == {"odd": "held", "plain": "landed"}
    assert "Assertion" in queue.entry(odd).reason["detail"]


def test_s9_a_missing_head_is_held_and_said(queue: Queue) -> None:
    entry = queue.work("one", {"one": "1\n"})
    head = queue.repo.path / ".git" / "objects" / entry.head[:2] / entry.head[2:]
    kept = head.read_bytes()
    head.unlink()
    queue.drain()
    assert queue.entry(entry).state is EntryState.HELD
    head.write_bytes(kept)


def wrong(queue: Queue, kind: str) -> Candidate:
    """A candidate that must never land: what a bug in merging might make."""
    repo = queue.repo
    tree = repo.head("main^{tree}" if kind == "empty" else "one^{tree}")
    parents = {"no-parent": [], "side-parent": ["one"], "merge-other": ["main", "other"]}.get(kind, ["main"])
    words = [word for parent in parents for word in ("-p", repo.head(parent))]
    commit = repo.git("commit-tree", tree, *words, "-m", kind)
    said = repo.head("main^{tree}") if kind == "other-tree" else tree
    return Candidate(commit, said, (commit,))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("no-parent", "wrong-parent"),
        ("side-parent", "wrong-parent"),
        ("merge-other", "wrong-parent"),
        ("other-tree", "other-tree"),
        ("undoes", "undoes-others"),
    ],
)
def test_s2_s3_s6_a_wrong_candidate_is_held_before_anything_moves(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, kind: str, code: str
) -> None:
    queue.repo.branch("other", {"other": "1\n"})
    one = queue.work("one", {"one": "1\n"})
    old = queue.repo.commit("meanwhile", {"theirs.txt": "theirs\n"})  # ``one``'s tree lacks it
    monkeypatch.setattr(making, "make_candidate", lambda *_, **__: wrong(queue, kind))
    queue.drain()
    held = queue.entry(one)
    assert (held.state, held.reason["code"]) == (EntryState.HELD, code)
    assert queue.main() == old
    if kind == "undoes":
        assert held.reason["paths"] == ["theirs.txt"]


def test_s3_what_only_the_second_engine_explains_may_land(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report of paths outside is wrong, the trees of both engines are the same: it lands."""
    from orchestrator.merging import postcheck
    from worktrees.changes import ScopeReport

    monkeypatch.setattr(postcheck, "landing_scope", lambda *_: ScopeReport(("odd",)))
    one = queue.work("one", {"one": "1\n"})
    queue.repo.commit("meanwhile", {"theirs.txt": "theirs\n"})
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED


def test_s2_a_verdict_of_another_tree_does_not_count(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.merging.checking import Checker

    configure(queue.repo, check="test -e README.md")
    real = Checker.verdict

    def other(self: Checker, check: Any, commit: str, entry: Any = None) -> Any:
        return replace(real(self, check, commit, entry), tree=queue.repo.head("main^{tree}"))

    monkeypatch.setattr(Checker, "verdict", other)
    one = queue.work("one", {"one": "1\n"})
    queue.drain()
    assert (queue.entry(one).state, queue.entry(one).reason["code"]) == (EntryState.HELD, "other-tree")


# -- order, people, signals ----------------------------------------------------------------------------


def test_s10_stacked_work_lands_after_what_it_stands_on_and_never_without(queue: Queue) -> None:
    queue.repo.branch("base", {"base": "1\n"})
    queue.repo.branch("upper", {"upper": "1\n"}, start="base")
    upper = queue.add("upper")
    queue.bench.store.update_entry(upper, after=("base",))
    queue.drain()
    assert queue.entry(upper).reason == {"code": "order", "detail": "lands after base"}
    lower = queue.bench.store.add_entry(
        replace(queue.entry(upper), id="0" * 20, plan="base", branch="base", head=queue.repo.head("base"),
                after=(), reason={}, state=EntryState.QUEUED, version=0)
    )  # fmt: skip
    service.drop(queue.bench, lower.id)
    queue.drain()
    assert queue.entry(upper).reason["code"] == "dependency-rejected"
    queue.bench.store.move_entry(queue.entry(lower), EntryState.QUEUED, reason={})
    queue.drain()
    assert queue.states() == {"upper": "landed", "base": "landed"}


def test_an_entry_dropped_while_it_is_checked_does_not_land(queue: Queue, tmp_path: Path) -> None:
    started, go_on = tmp_path / "started", tmp_path / "go"
    os.mkfifo(started)
    os.mkfifo(go_on)
    old = configure(queue.repo, check=repr(f"echo > {started}; cat {go_on}"))
    one = queue.work("one", {"one": "1\n"})

    def person() -> None:
        started.read_text()
        with queue_of(queue.repo) as other:
            service.drop(other.bench, "one")
        go_on.write_text("go\n")

    beside = threading.Thread(target=person)
    beside.start()
    queue.drain()
    beside.join()
    assert queue.entry(one).state is EntryState.DROPPED
    assert queue.main() == old


def test_s0_5_a_worker_that_is_asked_to_end_stops_its_check_and_blames_nobody(
    queue: Queue, tmp_path: Path
) -> None:
    started, never = tmp_path / "started", tmp_path / "never"
    os.mkfifo(started)
    os.mkfifo(never)
    configure(queue.repo, check=repr(f"echo $$ > {started}; cat {never}"))
    one = queue.work("one", {"one": "1\n"})
    pids: list[int] = []

    def ask() -> None:
        pids.append(int(started.read_text()))
        queue.cancel.set()

    beside = threading.Thread(target=ask)
    beside.start()
    queue.drain()
    beside.join()
    ended = queue.entry(one)
    assert (ended.state, ended.reason["code"]) == (EntryState.QUEUED, "interrupted")
    assert queue.bench.store.leases() == []
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_pause_lets_nothing_land_and_everybody_is_told(queue: Queue) -> None:
    service.pause(queue.bench, "release day")
    one = queue.work("one", {"one": "1\n"})
    queue.drain()
    assert queue.entry(one).reason == {"code": "paused", "detail": "release day"}
    service.resume(queue.bench)
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED


def test_a_working_copy_that_names_another_target_stops_this_queue(queue: Queue) -> None:
    one = queue.work("one", {"one": "1\n"})
    queue.repo.git("branch", "-q", "other")
    worker = queue.worker()
    queue.repo.write("planctl.yaml", "target: other\n")
    worker.drain(lambda idle: idle)
    assert queue.entry(one).state is EntryState.QUEUED
    assert queue.entry(one).reason["detail"] == "planctl.yaml names another target now: other"
    assert queue.repo.git("rev-list", "--count", "other") == "1"
    (queue.repo.path / "planctl.yaml").unlink()
    queue.drain()
    assert queue.entry(one).state is EntryState.LANDED
