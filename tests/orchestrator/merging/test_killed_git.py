"""A git child that somebody else kills (an OOM killer, a shutdown) says nothing of the work: tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.states import IntentState
from tests.support.queues import configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.standin import before_git

WRAPPER = """\
left=$(cat "$LEFT")
case " $* " in
*" $VICTIM "*)
    if [ "$left" -gt 0 ]; then
        echo $((left - 1)) > "$LEFT"
        kill -9 $$
    fi
    ;;
esac
"""


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says how many of the victims are still to be killed."""
    left = tmp_path / "left"
    left.write_text("0")
    before_git(tmp_path / "bin", WRAPPER, monkeypatch)
    monkeypatch.setenv("LEFT", str(left))
    return left


@pytest.mark.parametrize("victim", ["update-ref", "read-tree", "planctl: land"])
def test_p9_a_killed_git_does_not_hold_the_work(
    repo: GitRepo, left: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    monkeypatch.setenv("VICTIM", victim)
    with queue_of(repo) as queue:
        one = queue.work("one", {"one.txt": "1\n"})
        left.write_text("2")
        queue.drain()
        assert left.read_text().strip() == "0"
        assert queue.states() == {"one": "landed"}
        landed_once(repo, one.id)
    require_sound(repo)


@pytest.mark.parametrize("victim", ["read-tree", "planctl: land"])
def test_p9_work_on_which_git_is_always_killed_is_held_in_the_end(
    repo: GitRepo, left: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    monkeypatch.setenv("VICTIM", victim)
    with queue_of(repo) as queue:
        one = queue.work("one", {"one.txt": "1\n"})
        left.write_text("3")
        queue.drain()
        assert left.read_text().strip() == "0"
        held = queue.entry(one)
        assert (held.state, held.reason["code"]) == ("held", "git-killed")
        assert queue.bench.store.intents({IntentState.OPEN}) == []
        queue.add("one")
        queue.drain()
        landed_once(repo, one.id)
    require_sound(repo)


def test_p9_a_batch_on_which_git_is_always_killed_is_landed_one_by_one(
    repo: GitRepo, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times says that a person must look, of one entry: which of a batch that is, nobody knows yet."""
    monkeypatch.setenv("VICTIM", "planctl: land")
    configure(repo, check="test -e README.md", queue="batch")
    with queue_of(repo) as queue:
        one, two = queue.work("one", {"one.txt": "1\n"}), queue.work("two", {"two.txt": "1\n"})
        left.write_text("4")
        queue.drain()
        assert left.read_text().strip() == "0"
        assert queue.states() == {"one": "landed", "two": "landed"}
        for entry in (one, two):
            landed_once(repo, entry.id)
    require_sound(repo)


def test_p9_what_else_an_entry_waits_for_meanwhile_does_not_make_the_count_begin_anew(
    repo: GitRepo, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTIM", "planctl: land")
    with queue_of(repo) as queue:
        one = queue.work("one", {"one.txt": "1\n"})
        with queue.bench.store.transaction():
            queue.bench.store.update_entry(one, reason={"code": "no-verdict", "times": 2})
        left.write_text("3")
        queue.drain()
        held = queue.entry(one)
        assert held.state == "held"
        assert (held.reason["killed"], held.reason["times"]) == (3, 2)
        queue.add("one")
        queue.drain()
        assert queue.entry(one).reason == {}
