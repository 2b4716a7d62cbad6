from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees import repository
from worktrees.errors import UnknownRevisionError
from worktrees.files import commit_of, committed_file, files_at, tip_of, tracked_files
from worktrees.git import Git

ODD = "odd \udcff\n*[x].py"


@pytest.fixture
def git(repo: GitRepo) -> Git:
    return Git(repository.find(repo.path))


def test_tracked_files_are_those_of_the_index_byte_for_byte(repo: GitRepo, git: Git) -> None:
    Path(os.fsencode(repo.path / ODD).decode("utf-8", "surrogateescape")).write_bytes(b"")
    repo.git("add", "-A")
    repo.write("untracked", "")
    assert tracked_files(git, repo.path) == sorted(
        ["README.md", "docs/guide.md", ODD, "src/a.py", "src/b.py"]
    )


def test_files_of_a_revision_do_not_depend_on_the_worktree(repo: GitRepo, git: Git) -> None:
    repo.git("rm", "-q", "-r", "src")
    assert files_at(git, "HEAD") == ["README.md", "docs/guide.md", "src/a.py", "src/b.py"]
    assert files_at(git, "main~0") == files_at(git, repo.head())


@pytest.mark.parametrize("bad", ["", "nowhere", "--all", "-h", "HEAD:src", "\0", "HEAD HEAD", "@{bad}"])
def test_what_names_no_commit_is_refused(git: Git, bad: str) -> None:
    with pytest.raises(UnknownRevisionError):
        commit_of(git, bad)


def test_a_tag_is_followed_to_its_commit(repo: GitRepo, git: Git) -> None:
    repo.git("tag", "-a", "-m", "x", "v1")
    assert commit_of(git, "v1") == repo.head()


def test_a_committed_file_is_read_exactly_and_a_link_is_none(repo: GitRepo, git: Git) -> None:
    (repo.path / "link").symlink_to("README.md")
    commit = repo.commit("x", {"f": b"\r\n\xff no newline\n\n", "d/[f]": "in", "d/f": "other"})
    assert committed_file(git, commit, "f") == b"\r\n\xff no newline\n\n"
    assert committed_file(git, commit, "d/[f]") == b"in"
    for missing in ("link", "d", "nothing", "*"):
        assert committed_file(git, commit, missing) is None


def test_the_tip_of_a_branch_is_not_that_of_a_tag(repo: GitRepo, git: Git) -> None:
    repo.git("tag", "only-a-tag")
    assert tip_of(git, "main") == repo.head()
    assert tip_of(git, "only-a-tag") is None
