"""A worktree on a branch of its own, and planctl's git, for the tests of rescues."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.git import Git
from worktrees.repository import find


@pytest.fixture
def slot(repo: GitRepo, tmp_path: Path) -> GitRepo:
    repo.git("worktree", "add", "-q", "-b", "plan/x", str(tmp_path / "slot"))
    return GitRepo(tmp_path / "slot")


@pytest.fixture
def git(repo: GitRepo) -> Git:
    git = Git(find(repo.path))
    git.ensure_desk()
    return git
