"""A freeze below a priority: what is below does not land, whatever runs; the others go on without it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import pytest

from orchestrator.events import EventName
from orchestrator.merging import round as rounds
from orchestrator.merging.planner import QueueView, Step
from orchestrator.services import queue as service
from orchestrator.services.explaining import explain
from orchestrator.services.jumping import jump
from orchestrator.states import EntryState
from orchestrator.submitting.standstill import Freeze, freeze_of
from orchestrator.submitting.submit import Work, submit
from tests.support.process import end_of, run, start, until
from tests.support.queues import MAIN, Queue, configure, drain_beside, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import seldom

PLANCTL = f"env -u GIT_DIR {sys.executable} -m orchestrator.cli"
FROZEN = {"code": "frozen", "detail": "its priority is 40, and nothing below 60 lands: release day"}
POLICIES = ("serial", *seldom("batch"), "lanes")


def reasons(queue: Queue) -> dict[str, object]:
    waiting = queue.bench.store.entries(states={EntryState.QUEUED})
    return {entry.branch: entry.reason.get("code") for entry in waiting}


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_below_waits_with_its_reason_and_the_others_pass_it(repo: GitRepo, policy: str) -> None:
    configure(repo, check="'true'", queue=policy)
    with queue_of(repo) as queue:
        low = queue.work("low", {"f": "low\n"}, priority=40)
        queue.work("low-too", {"g": "1\n"}, priority=59.5)
        service.freeze(queue.bench, 60, "release day")
        queue.work("equal", {"h": "1\n"}, priority=60)
        high = queue.work("high", {"f": "high\n"}, priority=90)
        queue.drain()
        assert queue.states() == {"low": "queued", "low-too": "queued", "equal": "landed", "high": "landed"}
        assert queue.entry(low).reason == FROZEN
        said = [e.data.get("entry") for e in queue.events("check.started")]
        assert low.id not in said, "it is not checked in vain"
        service.resume(queue.bench)
        assert reasons(queue) == {"low": None, "low-too": None}, "nobody waits for that any more"
        queue.drain()
        assert queue.states()["low-too"] == "landed"
        assert queue.entry(low).state is EntryState.CONFLICTED, "as one that came after the urgent one"
        assert queue.entry(high).state is EntryState.LANDED
    require_sound(repo)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_freeze_during_a_check_holds_the_landing(repo: GitRepo, policy: str) -> None:
    """The check itself freezes the queue, as a person would: the one at its turn is below, by half a point.

    A batch lands without who is below.
    """
    done = repo.path.parent / "frozen"
    meanwhile = f"mkdir {done} 2>/dev/null && cd {repo.path} && {PLANCTL} queue pause --below 80"
    configure(repo, check=repr(f"{meanwhile}; true"), queue=policy)
    with queue_of(repo) as queue:
        for name, priority in (("first", 79.5), ("low", 40), ("high", 80)):
            queue.work(name, {name: "1\n"}, priority=priority)
        queue.drain()
        begun = queue.events("check.started")[0].data
        assert "first" in (begun["branch"], *begun.get("branches", ())), begun
        assert queue.states() == {"low": "queued", "high": "landed", "first": "queued"}
        assert reasons(queue) == {"low": "frozen", "first": "frozen"}
        service.resume(queue.bench)
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
    require_sound(repo)


def test_one_that_is_frozen_at_its_turn_is_not_assumed_to_land(repo: GitRepo) -> None:
    """Its check goes to its end and counts later; meanwhile the urgent one is checked without it."""
    gate, seen = repo.path.parent / "gate", repo.path.parent / "seen"
    os.mkfifo(gate)
    seen.mkdir()
    script = f"ls > {seen}/$$; mv {seen}/$$ {seen}/$$.whole; test -e high || read go < {gate}"
    configure(repo, check=repr(script), check_jobs=2)
    with queue_of(repo) as queue:
        queue.work("low", {"low": "1\n"}, priority=40)

        def checked() -> list[set[str]]:
            return [{"low", "high"}.intersection(f.read_text().split()) for f in seen.glob("*.whole")]

        def person() -> None:
            until(lambda: {"low"} in checked())
            with queue_of(repo) as other:
                service.freeze(other.bench, 60, "release day")
                other.work("high", {"high": "1\n"}, priority=90)
            until(lambda: {"high"} in checked())
            gate.write_text("go\n")

        drain_beside(queue, person)
        assert queue.states() == {"low": "queued", "high": "landed"}
        assert {"low", "high"} not in checked()
        assert queue.checks_run() == 2


def test_what_lands_after_a_frozen_one_waits_with_it_and_who_stands_by_ends(repo: GitRepo) -> None:
    """A worker lives and can do nothing: who came second does not wait for it for ever."""
    base = repo.head("main")
    with queue_of(repo) as queue:
        for name, priority, after in (("low", 40, ()), ("behind", 90, ("low",))):
            head = repo.branch(name, {name: "1\n"})
            work = Work(MAIN, name, head, base, plan=name, after=after, priority=priority)
            submit(queue.bench, work)
        service.freeze(queue.bench, 60, "release day")
        first = start("queue", "run", cwd=repo.path)
        until(lambda: reasons(queue) == {"low": "frozen", "behind": "order"})
        queue.drain()
        assert first.poll() is None, "and yet it lives"
        beside = run("queue", "run", "--once", cwd=repo.path)
        assert beside.code == 0
        merged = run("merge", "low", cwd=repo.path)
        assert (merged.code, FROZEN["detail"] in merged.out) == (1, True)
        service.resume(queue.bench)
        queue.drain()
        assert queue.states() == {"low": "landed", "behind": "landed"}
        first.terminate()
        assert end_of(first).code == 143


def test_who_jumps_passes_the_freeze_also_from_its_own_turn(repo: GitRepo) -> None:
    """The check of the first freezes the queue and has it jump, as a person would."""
    once = repo.path.parent / "once"
    does = f"cd {repo.path} && {PLANCTL} queue pause --below 200 && {PLANCTL} queue jump first"
    configure(repo, check=repr(f"mkdir {once} 2>/dev/null && {does}; true"))
    with queue_of(repo) as queue:
        for name in ("first", "low", "lifted"):
            queue.work(name, {name: "1\n"}, priority=40)
        queue.drain()
        assert queue.states() == {"first": "landed", "low": "queued", "lifted": "queued"}
        jump(queue.bench, "lifted")
        assert reasons(queue) == {"low": "frozen", "lifted": "jumped"}
        queue.drain()
        assert queue.states() == {"first": "landed", "low": "queued", "lifted": "landed"}


def test_a_worker_killed_under_a_freeze_leaves_nothing_to_the_next_but_the_freeze(repo: GitRepo) -> None:
    configure(repo, check="'true'", queue="batch")
    for name, priority in (("low", "40"), ("high", "70"), ("higher", "80")):
        repo.branch(name, {name: "1\n"})
        run("queue", "add", name, "--priority", priority, cwd=repo.path)
    run("queue", "pause", "--below", "60", cwd=repo.path)
    for moment in ("landing.refs:before", "landing.refs:after"):
        killed = run("queue", "run", "--once", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
        assert killed.code == -signal.SIGKILL, moment
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    with queue_of(repo) as queue:
        assert queue.states() == {"low": "queued", "high": "landed", "higher": "landed"}
        service.resume(queue.bench)
        queue.drain()
        for entry in queue.bench.store.entries():
            landed_once(repo, entry.id)
    require_sound(repo)


def test_the_newest_freeze_counts_and_a_pause_stands_beside_it(repo: GitRepo) -> None:
    with queue_of(repo) as queue:
        entry = queue.work("a", {"a": "1\n"}, priority=50)
        assert service.freeze(queue.bench, 60, "x") == service.Frozen(Freeze(60, "x"), held=1, open=1)
        queue.drain()
        assert queue.entry(entry).reason["code"] == "frozen"
        assert service.freeze(queue.bench, 50, "why: \udcff").held == 0
        assert queue.entry(entry).reason == {}, "that is not so any more"
        service.pause(queue.bench, "lunch")
        queue.drain()
        assert queue.entry(entry).reason["code"] == "paused"
        assert freeze_of(queue.bench.store, queue.bench.target) == Freeze(50, "why: \udcff")
        service.resume(queue.bench)
        assert freeze_of(queue.bench.store, queue.bench.target) is None
        told = [(e.data.get("why"), e.data.get("below")) for e in queue.events(EventName.QUEUE_PAUSED)]
        assert told == [("x", 60.0), ("why: \udcff", 50.0), ("lunch", None)]
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED


@pytest.mark.parametrize("before", ["target-moved", "interrupted", "jumped"])
def test_who_is_frozen_does_not_go_on_saying_what_it_waited_for_before(repo: GitRepo, before: str) -> None:
    with queue_of(repo) as queue:
        entry = queue.work("low", {"f": "1\n"}, priority=40)
        queue.bench.store.update_entry(entry, reason={"code": before, "detail": "a moment ago"})
        service.freeze(queue.bench, 60, "release day")
        queue.drain()
        assert queue.entry(entry).reason == FROZEN


def test_what_is_landing_when_a_person_says_so_is_not_told_to_be_held(repo: GitRepo) -> None:
    with queue_of(repo) as queue:
        entry = queue.work("a", {"a": "1\n"}, priority=40)
        for state in (EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING):
            entry = queue.bench.store.move_entry(entry, state)
            held = state is not EntryState.LANDING
            assert service.freeze(queue.bench, 60, "release day").held == held
            assert bool(explain(queue.bench, "a")["frozen"]) == held


@pytest.mark.parametrize("stop", [partial(service.freeze, below=60), service.pause])
def test_a_worker_that_has_just_read_the_queue_does_not_write_what_a_person_has_ended(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., object]
) -> None:
    """Nor does its drain end by it. What is queued says nothing of its own yet, so nobody unsays it."""
    with queue_of(repo) as queue:
        entry = queue.work("low", {"f": "1\n"}, priority=40)
        stop(queue.bench, why="release day")
        decide, met = rounds.plan_serial, []

        def late(view: QueueView) -> tuple[Step, ...]:
            if not met:
                met.append(view.entries[0].reason)
                service.resume(queue.bench)
            return decide(view)

        monkeypatch.setattr(rounds, "plan_serial", late)
        queue.drain()
        assert met == [{}]
        assert queue.entry(entry).state is EntryState.LANDED
