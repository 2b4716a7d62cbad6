"""What was written in a checkout between two looks, with nothing in it touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support.faces import contents
from tests.support.repo import GitRepo
from worktrees.git import Git
from worktrees.lastwrites import Mark, last_writes, written
from worktrees.repository import find
from worktrees.unread import Unread

ODD = b"a b\n\xff\xc3"


@pytest.fixture
def git(repo: GitRepo) -> Git:
    repo.commit("files", {"kept": "1\n", "edited": "1\n", "gone": "1\n", ".gitignore": "ignored\n"})
    git = Git(find(repo.path))
    git.ensure_desk()
    return git


def seen(git: Git, repo: GitRepo) -> dict[str, Mark]:
    found = last_writes(git, repo.path)
    assert not isinstance(found, Unread), found.why
    return dict(found)


def test_p13_what_was_written_between_two_looks_is_told_and_nothing_else(git: Git, repo: GitRepo) -> None:
    """Not the user's edits from before, what is staged, ignored, linked, or committed; names of any bytes."""
    repo.write("edited", "mine\n")
    repo.write("old", "mine\n")
    before = seen(git, repo)
    assert set(before) == {"edited", "old"}
    assert written(before, seen(git, repo), 0) == ()
    repo.git("add", "old")
    os.link(repo.path / "edited", repo.path.parent / "link")
    (repo.path / "gone").unlink()
    repo.write("ignored", "x")
    Path(os.fsdecode(os.fsencode(repo.path) + b"/" + ODD)).write_bytes(b"x")
    now = seen(git, repo)
    assert written(before, now, 0) == (os.fsdecode(ODD), "gone")
    repo.write("edited", "more\n")
    assert written(now, seen(git, repo), 0) == ("edited",)
    repo.git("commit", "-qam", "the user's own")
    assert set(seen(git, repo)) == {os.fsdecode(ODD)}


def test_p13_without_a_look_before_the_time_of_a_file_tells(git: Git, repo: GitRepo) -> None:
    repo.write("old", "x")
    (repo.path / "gone").unlink()
    now = seen(git, repo)
    assert written(None, now, time.time_ns() - 60 * 10**9) == ("old",)
    assert written(None, now, time.time_ns() + 60 * 10**9) == ()
    os.utime(repo.path / "old", (1, 1))
    assert written(now, seen(git, repo), time.time_ns() - 60 * 10**9) == ("old",), "its inode knows better"


def test_p13_nothing_is_told_while_git_is_at_work_there(git: Git, repo: GitRepo) -> None:
    lock = repo.path / ".git" / "index.lock"
    lock.write_text("")
    assert last_writes(git, repo.path) == Unread("git is at work on its index")
    lock.unlink()
    (repo.path / ".git" / "MERGE_HEAD").write_text(repo.head() + "\n")
    assert last_writes(git, repo.path) == Unread("it is merging")


def test_p13_an_index_that_changes_during_the_look_spoils_it(
    git: Git, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(*_: object, **__: object) -> tuple[()]:
        repo.write("edited", "mine\n")
        repo.git("add", "edited")
        return ()

    monkeypatch.setattr("worktrees.lastwrites.status", meanwhile)
    assert last_writes(git, repo.path) == Unread("git is at work on its index")


def test_p13_a_look_changes_no_byte(git: Git, repo: GitRepo) -> None:
    """Also where times are as old as the index, which git would like to write anew."""
    for name in ("kept", "edited"):
        os.utime(repo.path / name)
    before = contents(repo.path)
    seen(git, repo)
    assert contents(repo.path) == before
