"""A remote whose parts are in several places: refused before anything is said to have landed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.process import run
from tests.support.remotes import Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from worktrees.network import require_remote
from worktrees.remoteerrors import RemoteUnreachableError, SplitRemoteError


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (("remote", "set-url", "--add", "origin"), "has 2 URLs"),
        (("remote", "set-url", "--push", "origin"), "is read from one place and pushed to another"),
    ],
    ids=["two-urls", "pushurl"],
)
def test_s8_a_remote_of_several_places_is_refused(how: tuple[str, ...], says: str, remote: Remote) -> None:
    one = remote.clone("one")
    other = remote.folder / "other.git"
    one.git("clone", "-q", "--bare", remote.url, str(other))
    one.git(*how, str(other))
    one.branch("plan/a", {"a": "1\n"})
    before = remote.references()
    done = run("merge", "--remote", "origin", "plan/a", cwd=one.path)
    assert done.code == 2
    assert says in done.err
    assert "git remote add" in done.err
    assert remote.references() == before
    assert GitRepo(other).git("for-each-ref") == before


@pytest.mark.parametrize(
    ("push", "is_one"),
    [
        ("git@example.org:o/r.git", True),
        ("ssh://git@EXAMPLE.org:22/o/r", True),
        ("git@example.org:me/r.git", False),
        ("git@example.com:o/r.git", False),
        ("/srv/o/r.git", False),
    ],
)
def test_one_path_of_one_host_is_one_place(push: str, is_one: bool, remote: Remote) -> None:
    one = remote.clone("one")
    with queue_at(one) as queue:
        one.git("remote", "set-url", "origin", "https://example.org/o/r.git")
        one.git("config", f"url.{push}.pushInsteadOf", "https://example.org/o/r.git")
        if is_one:
            require_remote(queue.bench.git, "origin")
        else:
            with pytest.raises(SplitRemoteError):
                require_remote(queue.bench.git, "origin")


def test_s8_a_push_that_is_taken_and_cannot_be_seen_has_not_landed(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server shows what it shows: here its hook puts the target back after each push."""
    one = remote.clone("one")
    before = remote.main()
    remote.hook(f"git update-ref refs/heads/main {before}", "post-receive")
    monkeypatch.setattr("orchestrator.merging.remotewait.REFUSING", 0.2)
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        with pytest.raises(RemoteUnreachableError, match="does not show it"):
            queue.drain()
        assert queue.entry(entry).landed_commit is None
    remote.hook("exit 0", "post-receive")
    merge(one, "plan/a")
    assert remote.keys() == [entry.id]


def test_a_relative_url_is_read_from_the_top_of_the_repository(remote: Remote) -> None:
    one = remote.clone("one")
    one.git("remote", "set-url", "origin", "../origin.git")
    one.branch("plan/a", {"a": "1\n"})
    (one.path / "below").mkdir()
    done = run("merge", "--remote", "origin", "plan/a", cwd=one.path / "below")
    assert done.code == 0, done.err
    assert list(remote.landed().values()) == [remote.main()]
