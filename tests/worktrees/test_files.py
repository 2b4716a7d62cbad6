from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees import repository
from worktrees.errors import UnknownRevisionError
from worktrees.files import Names, commit_of, committed_file, names_at, tip_of, tracked_names
from worktrees.git import Git

ODD = "odd \udcff\n*[x].py"


@pytest.fixture
def git(repo: GitRepo) -> Git:
    return Git(repository.find(repo.path))


def test_tracked_files_are_those_of_the_index_byte_for_byte(repo: GitRepo, git: Git) -> None:
    Path(os.fsencode(repo.path / ODD).decode("utf-8", "surrogateescape")).write_bytes(b"")
    repo.git("add", "-A")
    repo.write("untracked", "")
    names = sorted(["README.md", "docs/guide.md", ODD, "src/a.py", "src/b.py"])
    assert tracked_names(git, repo.path) == Names(tuple(names))


def test_files_of_a_revision_do_not_depend_on_the_worktree(repo: GitRepo, git: Git) -> None:
    repo.git("rm", "-q", "-r", "src")
    assert names_at(git, "HEAD").files == ("README.md", "docs/guide.md", "src/a.py", "src/b.py")
    assert names_at(git, "main~0") == names_at(git, repo.head())


def test_submodules_and_links_are_told_in_the_index_and_in_a_tree(repo: GitRepo, git: Git) -> None:
    (repo.path / "li nk").symlink_to("README.md")
    repo.git("add", "-A")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head()},sub")
    names = Names(
        ("README.md", "docs/guide.md", "li nk", "src/a.py", "src/b.py", "sub"), ("sub",), ("li nk",)
    )
    assert tracked_names(git, repo.path) == names
    repo.git("commit", "-qm", "x")
    assert names_at(git, "HEAD") == names


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
    assert tip_of(git, "refs/heads/main") == repo.head()
    assert tip_of(git, "refs/heads/only-a-tag") is None
