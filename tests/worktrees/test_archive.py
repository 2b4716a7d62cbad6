"""Commits are parked before their last name goes; branches go only from where they were seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.archive import delete_branch, is_parked_or_landed, park
from worktrees.errors import BranchInUseError, InvalidReferenceError, ReferenceMovedError
from worktrees.git import Git

MAIN = ("refs/heads/main",)


def test_p9_parking_numbers_and_is_idempotent(repo: GitRepo, git: Git) -> None:
    one, two = repo.branch("one", {"x": "1\n"}), repo.branch("two", {"x": "2\n"})
    assert park(git, "x", [one]) == ("refs/planctl/archive/x/1",)
    assert park(git, "x", [two, one, two]) == (
        "refs/planctl/archive/x/2",
        "refs/planctl/archive/x/1",
        "refs/planctl/archive/x/2",
    )
    assert park(git, "y", [one]) == ("refs/planctl/archive/y/1",)
    assert park(git, "x", []) == ()
    assert repo.git("rev-parse", "refs/planctl/archive/x/2") == two


def test_p9_parking_at_once_gives_every_commit_its_own_number(repo: GitRepo, git: Git) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    commits = [repo.git("commit-tree", tree, "-m", f"{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda commit: park(git, "x", [commit])[0], commits))
    assert len(set(names)) == len(commits)
    assert [repo.git("rev-parse", name) for name in names] == commits


def test_p9_parked_or_landed(repo: GitRepo, git: Git) -> None:
    landed = repo.head()
    work = repo.branch("work", {"x": "1\n"})
    later = repo.branch("later", {"x": "2\n"}, start="work")
    assert is_parked_or_landed(git, landed, MAIN)
    assert not is_parked_or_landed(git, work, MAIN)
    assert not is_parked_or_landed(git, work, ("refs/heads/none",))
    assert is_parked_or_landed(git, work, (later,))
    park(git, "x", [later])
    assert is_parked_or_landed(git, work, MAIN)


def test_p9_a_branch_is_deleted_only_after_parking(repo: GitRepo, git: Git) -> None:
    """A rival deletes the branch before the work has landed."""
    work = repo.branch("plan/x", {"x": "1\n"})
    with pytest.raises(ReferenceMovedError):
        delete_branch(git, "x", "plan/x", repo.head(), MAIN)
    assert repo.head("plan/x") == work
    assert delete_branch(git, "x", "plan/x", work, MAIN) == "refs/planctl/archive/x/1"
    assert repo.git("for-each-ref", "refs/heads/plan") == ""
    assert repo.git("rev-parse", "refs/planctl/archive/x/1") == work
    repo.git("branch", "done", "main")
    assert delete_branch(git, "x", "done", repo.head(), MAIN) is None


def test_a_branch_that_is_checked_out_stays(repo: GitRepo, git: Git, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "plan/x", str(tmp_path / "a\nb"))
    with pytest.raises(BranchInUseError) as caught:
        delete_branch(git, "x", "plan/x", repo.head(), MAIN)
    assert caught.value.worktree == tmp_path / "a\nb"
    with pytest.raises(InvalidReferenceError):
        delete_branch(git, "x", "--all", repo.head(), MAIN)
