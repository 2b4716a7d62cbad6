"""A batch lands on a remote by one push, whatever else it takes of references."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.merging import remoteepoch
from tests.remote.test_races import Before
from tests.support.process import run
from tests.support.remotes import Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from worktrees.push import Outcome


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad", queue="batch")


def test_s5_a_batch_is_one_push_with_a_key_for_each(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    two.branch("plan/other", {"o": "1\n"})
    before = Before(monkeypatch)
    with queue_at(one) as queue:
        entries = [queue.work(f"plan/{n}", {f"f{n}": "1\n"}) for n in range(4)]
        before.doing += [lambda: None, lambda: merge(two, "plan/other")]
        queue.drain()
        assert set(queue.states().values()) == {"landed"}
    assert set(remote.landed()) == {*remote.keys()} > {entry.id for entry in entries}
    assert len(remote.keys()) == 5
    taken = [a for a in before.answers if a.outcome is Outcome.TAKEN]
    assert len(taken) <= 1 + len(entries) // 2, "the epoch's own, and fewer than one for each"
    merged = [s for s in remote.subjects() if s.startswith("Merge ") and "at once" in s]
    assert merged, remote.subjects()
    assert remoteepoch.push is before


def test_the_keys_of_a_batch_are_told_by_its_side_chain_where_trailers_tell(remote: Remote) -> None:
    remote.hook('case "$1" in refs/planctl/*) exit 1; esac', "update")
    one, two = remote.clone("one"), remote.clone("two")
    for n in range(4):
        one.branch(f"plan/{n}", {f"f{n}": "1\n"})
    remote.push(one, "--all")
    merge(one, "--branches", "plan/*")
    assert [s for s in remote.subjects() if "at once" in s]
    assert len(remote.keys()) == 4
    assert remote.landed() == {}
    main = remote.main()
    done = merge(two, *(f"plan/{n}" for n in range(4)), "--json")
    assert {e["state"] for e in done.data["entries"]} == {"landed"}
    assert remote.main() == main
    known = two.git("for-each-ref", "--format=%(refname:lstrip=7)", "refs/planctl/remote/origin/told")
    assert sorted(known.split()) == sorted(remote.keys())


@pytest.mark.stress
def test_l1_a_push_that_is_refused_for_one_of_a_batch_lets_the_others_land(remote: Remote) -> None:
    """The server looks into what is pushed, as push protection does."""
    remote.hook(
        """while read old new name; do case "$name" in refs/heads/main)
        git ls-tree -r --name-only "$new" | grep -q secret && { echo "a secret" >&2; exit 1; }
        ;; esac; done; exit 0"""
    )
    one = remote.clone("one")
    with queue_at(one) as queue:
        for name in ("plan/x", "plan/y", "plan/z"):
            queue.work(name, {f"{name}/{'secret' if name == 'plan/x' else 'file'}": "1\n"})
        queue.drain()
        assert queue.states() == {"plan/x": "blocked", "plan/y": "landed", "plan/z": "landed"}
        assert queue.entry(queue.bench.store.entries()[0]).reason["code"] == "push-refused"
    assert len(remote.keys()) == 2


@pytest.mark.parametrize("handed_in", [True, False])
def test_s1_what_somebody_pushed_by_hand_is_checked_although_a_queue_found_it_there(
    remote: Remote, handed_in: bool
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    two.branch("plan/first", {"first": "1\n"})
    merge(two, "plan/first")
    one.git("fetch", "-q")
    one.branch("by-hand", {"bad": "1\n"}, "origin/main")
    one.git("push", "-q", "origin", "by-hand:main")
    if handed_in:
        found = merge(one, "by-hand", "--json").data["entries"][0]
        assert found["state"] == "landed"
        assert (
            run("queue", "explain", "by-hand", "--remote", "origin", cwd=one.path).out.count(
                "was on the target already"
            )
            == 1
        )
    two.branch("plan/next", {"next": "1\n"})
    with queue_at(two) as queue:
        queue.add("plan/next")
        queue.drain()
        assert queue.states()["plan/next"] == "queued"
        assert str(queue.bench.store.entries()[-1].reason["detail"]).startswith("target-red")


def test_what_another_queue_landed_as_a_batch_is_not_checked_again(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    with queue_at(one) as queue:
        for n in range(3):
            queue.work(f"plan/{n}", {f"f{n}": "1\n"})
        queue.drain()
    two.branch("plan/next", {"next": "1\n"})
    with queue_at(two) as queue:
        queue.land("plan/after", {"after": "1\n"})
        assert [e.data["of_target"] for e in queue.events("check.started")] == [False]
