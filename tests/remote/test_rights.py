"""Clones that may not write planctl's own references, or could not for a while, beside clones that may."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.remotes import EPOCH, Remote, merge, remote_of
from tests.support.repo import GitRepo
from tests.support.slices import seldom

NOT_OURS = "while read old new name; do case $name in refs/planctl/*) exit 1; esac; done"


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad", method="squash")


def undo(clone: GitRepo, remote: Remote, commit: str) -> str:
    """Revert a landing by hand; the target as it is then."""
    clone.git("pull", "-q", "origin", "main")
    clone.git("revert", "--no-edit", commit)
    remote.push(clone, "main")
    return remote.main()


def test_s4_who_may_write_the_references_reads_what_others_landed_without(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    remote.hook(f'[ -n "$LIMITED" ] || exit 0\n{NOT_OURS}')
    one.branch("plan/w", {"w": "1\n"})
    one.branch("plan/a", {"a": "1\n"})
    remote.push(one, "plan/w", "plan/a")
    merge(two, "plan/w")
    assert "takes no references of planctl's own" in merge(one, "plan/a", env={"LIMITED": "1"}).out
    assert len(remote.landed()) == 1
    undone = undo(two, remote, remote.main())
    assert "1 of 1 landed" in merge(two, "plan/a").err
    assert remote.main() == undone, "it has landed already: its trailer says so"


def test_s4_a_server_that_refuses_all_for_a_while_does_not_turn_a_clone_plain(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    tries = remote.folder / "tries"
    remote.hook(f"echo . >> {tries}; [ $(wc -l < {tries}) -gt 5 ]")
    one.branch("plan/a", {"a": "1\n"})
    remote.push(two, "main")
    one.git("push", "-q", str(two.path), "plan/a")
    done = merge(one, "plan/a")
    assert "takes no references" not in done.out
    undone = undo(two, remote, remote.main())
    merge(two, "plan/a")
    assert remote.main() == undone
    one.branch("plan/b", {"b": "1\n"})
    merge(one, "plan/b")
    assert list(remote.landed().values()) == [remote.main()]


def test_a_clone_is_plain_only_as_long_as_the_server_refuses_the_epoch(remote: Remote) -> None:
    one = remote.clone("one")
    remote.hook(NOT_OURS)
    one.branch("plan/a", {"a": "1\n"})
    one.branch("plan/b", {"b": "1\n"})
    merge(one, "plan/a")
    assert EPOCH not in remote.references()
    remote.hook("exit 0")
    merge(one, "plan/b")
    assert EPOCH in remote.references()
    assert list(remote.landed().values()) == [remote.main()]


@pytest.mark.parametrize("hook", ["update", *seldom("pre-receive")])
def test_s4_where_the_epoch_is_taken_and_landed_references_are_not_trailers_tell(
    remote: Remote, hook: str
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    landed = NOT_OURS.replace("planctl/*", "planctl/landed/*")
    remote.hook(landed if hook == "pre-receive" else f'echo 0 0 "$1" | {{ {landed}; }}', hook)
    one.branch("plan/a", {"a": "1\n"})
    one.branch("plan/b", {"b": "1\n"})
    remote.push(one, "plan/a", "plan/b")
    for name in ("plan/a", "plan/b"):
        before = remote.bare.head(EPOCH) if name == "plan/b" else ""
        done = merge(one, name)
        assert "takes no references" not in done.out
        assert remote.bare.head(EPOCH) != before, "each landing is fenced by it"
    assert (remote.landed(), len(remote.keys())) == ({}, 2)
    undone = undo(two, remote, remote.main())
    assert "2 of 2 landed" in merge(two, "plan/a", "plan/b").err
    assert remote.main() == undone
    remote.hook("exit 0", hook)
    one.branch("plan/c", {"c": "1\n"})
    merge(one, "plan/c")
    assert list(remote.landed().values()) == [remote.main()]


@pytest.mark.stress
def test_a_target_alone_that_is_refused_turns_nothing_plain(remote: Remote) -> None:
    one = remote.clone("one")
    remote.hook("exit 1")
    one.branch("plan/a", {"a": "1\n"})
    done = merge(one, "plan/a", "--json", code=1)
    assert [e["reason"]["code"] for e in done.data["entries"]] == ["push-refused"]
    remote.hook("exit 0")
    assert "takes no references" not in merge(one, "plan/a").out
    assert list(remote.landed().values()) == [remote.main()]
