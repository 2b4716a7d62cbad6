"""L4 on a remote: a clone that always comes too late gets its turn; nobody waits for a dead one for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.merging import turns
from orchestrator.merging.asking import LATE
from orchestrator.merging.remoteepoch import move_epoch
from orchestrator.merging.tenure import Tenure
from orchestrator.merging.turns import is_anothers, turn_of
from orchestrator.merging.upstream import bring_up_to_date
from orchestrator.states import EntryState
from tests.remote.test_races import Before
from tests.support.remotes import EPOCH, Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad", queue="serial")


def test_l4_who_always_comes_too_late_gets_a_turn(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another clone lands right before each push of the slow one, until it is asked to wait."""
    slow, fast = remote.clone("slow"), remote.clone("fast")
    for n in range(LATE + 1):
        fast.branch(f"plan/fast-{n}", {f"fast-{n}": "1\n"})
    with queue_at(slow) as queue:
        before = Before(monkeypatch)
        landed: list[str] = []
        threads: list[threading.Thread] = []

        def overtake(n: int) -> None:
            landed.append(merge(fast, f"plan/fast-{n}").err)

        def wait_in_vain() -> None:
            """By now it is the slow one's turn: the fast one sees that, and waits."""
            threads.append(threading.Thread(target=overtake, args=(LATE,)))
            threads[-1].start()
            threads[-1].join(4)
            assert len(landed) == LATE, "it does not land before the other one"

        # the first push of all makes the epoch, the others are of landings, and one asks for the turn
        pushes = [lambda n=n: overtake(n) for n in range(LATE)]
        before.doing += [lambda: None, *pushes, lambda: None, wait_in_vain]
        entry = queue.work("plan/slow", {"slow": "1\n"})
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        assert queue.entry(entry).attempts == LATE + 1
        for thread in threads:
            thread.join(60)
    assert ["1 of 1 landed" in text for text in landed] == [True] * (LATE + 1)
    order = [subject.split("'")[1] for subject in remote.subjects() if "plan/" in subject]
    assert order[:3] == [f"plan/fast-{LATE}", "plan/slow", f"plan/fast-{LATE - 1}"]
    assert len(remote.keys()) == LATE + 2


def test_a_turn_ends_by_its_time_and_says_nothing_where_it_is_no_turn(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    with queue_at(one) as first, queue_at(two) as second:
        lease = first.session.hold(f"queue:{first.bench.target}", "test")
        tenure = Tenure(first.bench, lease, "")
        assert move_epoch(tenure, turn=1000.0)
        assert not is_anothers(first.bench), "one's own"
        second.bench.git.run(
            "fetch", "-q", "origin", f"+{EPOCH}:refs/planctl/remote/origin/epoch", writes=True
        )
        assert is_anothers(second.bench)
        monkeypatch.setattr(turns, "MOST", 0.0)
        assert not is_anothers(second.bench), "whoever asked for it and died is not waited for longer"
        monkeypatch.setattr(turns, "MOST", 1800.0)
        for text in (
            "",
            "[]",
            "{",
            '{"session": 1, "turn": 9}',
            '{"session": "x", "turn": "9"}',
            "\\xff" * 9,
        ):
            blob = second.bench.objects.write_blob(text.encode("latin-1"))
            two.git("update-ref", "refs/planctl/remote/origin/epoch", blob)
            assert turn_of(second.bench) is None
            assert not is_anothers(second.bench)


def test_what_is_on_its_way_when_a_turn_is_asked_for_waits_and_its_verdict_stands(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    monkeypatch.setattr(turns, "MOST", 1.5)
    with queue_at(two) as other, queue_at(one) as queue:
        before = Before(monkeypatch)

        def ask() -> None:
            lease = other.session.hold(f"queue:{other.bench.target}", "test")
            bring_up_to_date(other.bench)
            assert move_epoch(Tenure(other.bench, lease, ""), turn=1000.0)

        before.doing += [lambda: None, ask]
        entry = queue.work("plan/a", {"a": "1\n"})
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        assert queue.entry(entry).attempts == 2
        assert queue.checks_run() == 1
    assert [str(a.outcome) for a in before.answers] == ["taken", "taken", "refused", "taken"]
