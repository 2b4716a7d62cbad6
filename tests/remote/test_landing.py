"""The queue of a remote's target: what lands there, and what stays as it was here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.process import run
from tests.support.remotes import Remote, merge, remote_of
from tests.support.repo import GitRepo


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad")


def test_p22_work_lands_on_the_remote_and_nothing_of_the_users_moves(remote: Remote) -> None:
    clone = remote.clone("one")
    clone.branch("plan/a", {"a": "1\n"})
    clone.write("README.md", "mine\n")
    before = (clone.git("for-each-ref", "refs/heads", "refs/remotes"), clone.git("status", "--porcelain"))
    done = merge(clone, "plan/a")
    assert "1 of 1 landed" in done.err
    assert remote.subjects()[0] == "Merge branch 'plan/a'"
    assert list(remote.landed().values()) == [remote.main()]
    after = (clone.git("for-each-ref", "refs/heads", "refs/remotes"), clone.git("status", "--porcelain"))
    assert after == before, "branches, remote-tracking ones and the checkout are the user's"
    clone.git("checkout", "-q", "README.md")
    clone.git("pull", "-q")
    assert clone.head("main") == remote.main()


def test_the_same_head_from_two_clones_is_one_landing(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/a", {"a": "1\n"})
    remote.push(one, "plan/a")
    assert "1 of 1 landed" in merge(one, "plan/a").err
    main = remote.main()
    assert "1 of 1 landed" in merge(two, "plan/a").err, "the branch is the remote's alone there"
    assert remote.main() == main
    assert len(remote.landed()) == 1
    assert len(remote.keys()) == 1


def test_branches_of_the_remote_alone_are_taken_by_pattern(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/good", {"g": "1\n"})
    one.branch("plan/red", {"bad": "1\n"})
    one.branch("plan/clash", {"g": "2\n"})
    one.branch("other", {"o": "1\n"})
    remote.push(one, "plan/good", "plan/red", "plan/clash", "other")
    job = remote.clone("job", "--no-checkout")
    job.git("checkout", "-q", "--detach", "origin/main")
    done = merge(job, "--branches", "plan/*", "--json", code=1)
    assert {e["branch"]: e["state"] for e in done.data["entries"]} == {
        "plan/clash": "landed",
        "plan/good": "conflicted",
        "plan/red": "rejected",
    }
    assert remote.bare.git("log", "--format=%s", "main", "--", "o") == ""
    assert job.git("branch", "--list", "plan/*") == "", "no local branch is made"
    again = merge(job, "--branches", "plan/*", code=1)
    assert "plan/good conflicted" in again.out, "the rest once more"
    assert "then `planctl queue add plan/good --remote origin`" in again.out, "not onto the job's own main"


def test_a_freeze_holds_in_the_clone_where_it_was_said(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/low", {"low": "1\n"})
    one.branch("plan/high", {"high": "1\n"})
    remote.push(one, "plan/low")
    there = ("--remote", "origin")
    for name, priority in (("plan/low", "40"), ("plan/high", "70")):
        assert run("queue", "add", name, "--priority", priority, *there, cwd=one.path).code == 0
    assert run("queue", "pause", "--below", "60", *there, cwd=one.path).code == 0
    assert run("queue", "run", "--once", *there, cwd=one.path).code == 0
    assert remote.subjects()[0] == "Merge branch 'plan/high'"
    (left,) = run("queue", "list", "--json", *there, cwd=one.path).data["entries"]
    assert (left["branch"], left["state"], left["reason"]["code"]) == ("plan/low", "queued", "frozen")
    assert run("queue", "list", "--json", cwd=one.path).data["frozen"] is None, "another target"
    merge(two, "plan/low")
    assert run("queue", "resume", *there, cwd=one.path).code == 0
    assert "1 of 1 landed" in merge(one, "plan/low").err
    assert len(remote.keys()) == 2


def test_remote_in_the_settings_is_as_the_option(repo: GitRepo, tmp_path: Path) -> None:
    remote = remote_of(repo, tmp_path / "there", remote="origin", check="true")
    clone = remote.clone("one")
    clone.branch("plan/a", {"a": "1\n"})
    local = clone.head("main")
    assert run("queue", "add", "plan/a", cwd=clone.path).code == 0
    assert run("queue", "run", "--once", cwd=clone.path).code == 0
    assert clone.head("main") == local
    assert remote.subjects()[0] == "Merge branch 'plan/a'"
    listed = run("queue", "list", "--all", "--json", cwd=clone.path).data
    assert [e["state"] for e in listed["entries"]] == ["landed"]


def test_what_waits_for_a_remote_that_was_renamed_lands_by_its_new_name(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    assert run("queue", "add", "plan/a", "--remote", "origin", cwd=one.path).code == 0
    elsewhere = run("queue", "add", "plan/a", cwd=one.path)
    assert (elsewhere.code, "plan/a is on its way to origin/main" in elsewhere.err) == (2, True)
    one.git("remote", "rename", "origin", "up")
    done = run("merge", "plan/a", "--remote", "up", cwd=one.path)
    assert "1 of 1 landed" in done.err
    assert len(remote.keys()) == 1


def test_a_remote_that_is_called_as_planctl_calls_the_one_it_pushes_to_gets_nothing(remote: Remote) -> None:
    one = remote.clone("one")
    one.git("clone", "-q", "--bare", str(remote.bare.path), str(remote.folder / "other.git"))
    one.git("remote", "add", "planctl-push", str(remote.folder / "other.git"))
    other = GitRepo(remote.folder / "other.git")
    before = other.git("for-each-ref")
    one.branch("plan/a", {"a": "1\n"})
    assert "1 of 1 landed" in merge(one, "plan/a").err
    assert other.git("for-each-ref") == before
