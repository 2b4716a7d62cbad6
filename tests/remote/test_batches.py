"""A batch lands on a remote by one push, whatever else it takes of references."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.merging import publishing
from tests.remote.test_races import Before
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
    assert publishing.push is before


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
    known = two.git("for-each-ref", "--format=%(refname:lstrip=6)", "refs/planctl/remote/origin/told")
    assert sorted(known.split()) == sorted(remote.keys())
