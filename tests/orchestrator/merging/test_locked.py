"""Lock files of somebody else's git: waited for with a stored reason that names them, and not for ever."""

from __future__ import annotations

import fcntl
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from orchestrator.errors import LocksInTheWayError
from orchestrator.merging.worker import QueueWorker
from orchestrator.services import queue as service
from orchestrator.services.explaining import explain
from orchestrator.services.queuelist import queue_json
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Entry, Intent
from orchestrator.submitting import locked
from tests.support.clock import FakeClock
from tests.support.editor import INDEX_LOCK, open_editor
from tests.support.queues import Queue, queue_of, require_sound
from tests.support.repo import GitRepo
from worktrees import keptwriter

EPOCH_LOCK = ".git/refs/planctl/epoch.lock"


class Watched(FakeClock):
    """Does ``look`` each time somebody waits, with the seconds that have passed."""

    def __init__(self, look: Callable[[float], None]) -> None:
        super().__init__()
        self._look = look
        self._began = self.monotonic()

    def wait(self, event: Event, seconds: float) -> bool:
        self._look(self.monotonic() - self._began)
        return super().wait(event, seconds)


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue


@pytest.fixture
def git_at_work(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a living git child of some planctl holds, so that no lock is provably a dead one's."""
    monkeypatch.setattr(keptwriter, "PATIENT", ())  # git's own waiting is no matter of the clock
    with queue.bench.git.exclusive_writes():
        pass
    with (queue.repo.path / ".git" / "planctl" / "git-write.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def patient_worker(queue: Queue, look: Callable[[float], None]) -> QueueWorker:
    bench = replace(queue.bench.refreshed(), clock=Watched(look))
    return QueueWorker(bench, queue.session, SlotKeeper(bench), wake=Event(), cancel=queue.cancel)


def remove_after(path: Path, seconds: float, look: Callable[[], None]) -> Callable[[float], None]:
    def watch(passed: float) -> None:
        if path.exists():
            look()
            if passed > seconds:
                path.unlink()

    return watch


@pytest.mark.usefixtures("git_at_work")
def test_l1_a_lock_on_the_epoch_is_waited_for_and_named_meanwhile(queue: Queue) -> None:
    queue.land("zero", {"src/b.py": "zero\n"})
    entry = queue.work("two", {"src/c.py": "two\n"})
    lock = queue.repo.write(EPOCH_LOCK, "")
    seen = []

    def look() -> None:
        bench = queue.bench
        listed = queue_json(bench.store, bench.settings.project, bench.seen_tip(), every=False)
        seen.append((queue.entry(entry), explain(bench, "two"), listed))

    patient_worker(queue, remove_after(lock, 3.0, look)).drain(lambda idle: idle)

    assert queue.entry(entry).state is EntryState.LANDED
    last, explained, listed = seen[-1]
    assert (last.state, last.reason["code"]) == (EntryState.QUEUED, "locked")
    assert "refs/planctl/epoch.lock" in last.reason["detail"]
    assert "refs/planctl/epoch.lock" in explained["why"]
    assert "planctl doctor" in explained["cure"]
    assert "epoch.lock" in listed["entries"][0]["reason"]["detail"]
    assert len(queue.events("queue.lost")) == 1, "the same lock is told once"
    require_sound(queue.repo)


@pytest.mark.usefixtures("git_at_work")
def test_l4_a_lock_that_stays_ends_the_work_in_the_end_and_loses_nothing(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locked.PATIENCE == 600.0
    monkeypatch.setattr(locked, "PATIENCE", 4.0)
    queue.land("zero", {"src/b.py": "zero\n"})
    entry = queue.work("one", {"src/a.py": "one\n"})
    lock = queue.repo.write(EPOCH_LOCK, "")
    clock: list[float] = []
    with pytest.raises(LocksInTheWayError):
        patient_worker(queue, clock.append).drain(lambda idle: idle)
    assert 3 < clock[-1] < 6
    assert queue.entry(entry).state is EntryState.QUEUED
    lock.unlink()
    queue.drain()
    assert queue.entry(entry).state is EntryState.LANDED


@pytest.mark.usefixtures("git_at_work")
def test_l4_the_callers_own_patience_is_asked_too(queue: Queue) -> None:
    queue.land("zero", {"src/b.py": "zero\n"})
    entry = queue.work("one", {"src/a.py": "one\n"})
    queue.repo.write(EPOCH_LOCK, "")
    with pytest.raises(LocksInTheWayError, match="epoch"):
        service.drain(queue.bench, queue.session, [entry.id], cancel=queue.cancel, patience=0.0)


def test_l1_work_met_by_a_commit_whose_editor_is_open_lands_when_that_is_closed(queue: Queue) -> None:
    entry = queue.work("one", {"src/a.py": "one\n"})
    queue.repo.write("src/b.py", "mine\n")
    seen = []

    with open_editor(queue.repo) as close:

        def look(_passed: float) -> None:
            met = queue.entry(entry)
            if met.state is EntryState.BLOCKED:
                seen.append(met.reason)
                close()

        rounds: list[bool] = []

        def done(idle: bool) -> bool:
            rounds.append(idle)
            return queue.entry(entry).state is EntryState.LANDED or len(rounds) > 20

        patient_worker(queue, look).drain(done)

    assert queue.entry(entry).state is EntryState.LANDED
    assert {reason["code"] for reason in seen} == {"locked"}
    assert seen[0]["paths"] == [str(queue.repo.path / INDEX_LOCK)]
    assert str(queue.repo.path / INDEX_LOCK) in seen[0]["detail"]
    assert queue.repo.git("status", "--porcelain") == " M src/b.py"
    require_sound(queue.repo)


def landed_or_tired(queue: Queue, entry: Entry) -> Callable[[bool], bool]:
    looks = itertools.count()
    return lambda _idle: queue.entry(entry).state is EntryState.LANDED or next(looks) > 400


def test_s2_a_checkout_that_another_planctl_follows_in_is_tried_again(queue: Queue) -> None:
    """No file tells when that is over."""
    entry = queue.work("one", {"src/a.py": "one\n"})
    folder = queue.repo.path / ".git/planctl/follow/primary"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        def look(_passed: float) -> None:
            if queue.entry(entry).state is EntryState.BLOCKED:
                fcntl.flock(file, fcntl.LOCK_UN)

        patient_worker(queue, look).drain(landed_or_tired(queue, entry))
    assert queue.entry(entry).state is EntryState.LANDED


def test_a_killed_childs_lock_is_proven_when_its_landing_was_taken_back(queue: Queue) -> None:
    """And goes once no other child of planctl is at work, which in a run there nearly always is."""
    entry = queue.work("one", {"src/a.py": "one\n"})
    tip, made = queue.bench.target_tip(), queue.repo.head("main~0")
    intent = Intent("i1", {entry.id: made}, queue.bench.target, tip, made, "e", queue.bench.clock.now())
    queue.bench.store.add_intent(intent)
    queue.bench.store.move_intent(intent, IntentState.SUPERSEDED)
    lock = queue.repo.path / ".git/refs/heads/main.lock"
    lock.write_text(f"{made}\n")
    with queue.bench.git.exclusive_writes():
        pass
    with (queue.repo.path / ".git/planctl/git-write.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)

        def look(passed: float) -> None:
            if queue.entry(entry).state is EntryState.BLOCKED and passed > 3:
                fcntl.flock(file, fcntl.LOCK_UN)

        patient_worker(queue, look).drain(landed_or_tired(queue, entry))
    assert queue.entry(entry).state is EntryState.LANDED
    assert not lock.exists()
