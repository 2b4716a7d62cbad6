"""A pool of worktrees for tests, in this process or in another one that may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.repo import GitRepo
from worktrees.git import Git
from worktrees.pool import Pool, pool_folder
from worktrees.repository import find

ROOT = Path(__file__).resolve().parents[2]
_ADD = """
import sys
from pathlib import Path
from tests.support.pools import pool_of
pool = pool_of(Path(sys.argv[1]))
for name in sys.argv[3:]:
    pool.add(name, sys.argv[2])
"""
_REMOVE = """
import sys
from pathlib import Path
from tests.support.pools import pool_of
pool = pool_of(Path(sys.argv[1]))
for name in sys.argv[2:]:
    pool.remove(pool.find(name))
"""


def pool_of(path: Path) -> Pool:
    repository = find(path)
    return Pool(Git(repository), pool_folder(repository, None))


def start_add(repo: GitRepo, commit: str, *names: str, kill_at: str = "") -> subprocess.Popen[bytes]:
    """Add slots in a process of its own, killed at the step named (see plans.effects)."""
    return _start([_ADD, str(repo.path), commit, *names], kill_at)


def start_remove(repo: GitRepo, *names: str, kill_at: str = "") -> subprocess.Popen[bytes]:
    """Remove slots in a process of its own, killed at the step named."""
    return _start([_REMOVE, str(repo.path), *names], kill_at)


def _start(argv: list[str], kill_at: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", *argv],
        env={**os.environ, **({"PLANCTL_KILL_AT": kill_at} if kill_at else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def slots_left(repo: GitRepo) -> list[str]:
    """Whatever of a slot is left, on disk or in git."""
    pool = repo.path.with_name(f"{repo.path.name}.worktrees")
    metadata = repo.path / ".git" / "worktrees"
    return sorted(str(p.name) for root in (pool, metadata) if root.exists() for p in root.iterdir())
