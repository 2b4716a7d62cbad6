"""Everything that a worktree holds, as values that can be compared: bytes, modes, links, index, operation."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.support.repo import GitRepo


def on_disk(top: Path) -> dict[bytes, tuple[int, bytes]]:
    """Path to (mode bits, content or link target) of every file below ``top`` outside ``.git``."""
    found = {}
    for here, folders, files in os.walk(os.fsencode(top)):
        folders[:] = [name for name in folders if name != b".git"]
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        for name in [*files, *links]:
            path = os.path.join(here, name)
            if name == b".git":
                continue
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            elif stat.S_ISREG(mode):
                content = Path(os.fsdecode(path)).read_bytes()
            else:
                continue
            found[os.path.relpath(path, os.fsencode(top))] = (mode, content)
    return found


def index_of(repo: GitRepo, top: Path) -> tuple[str, str, str]:
    """Entries with stages and hiding marks, what git says is staged, and what it says is not."""
    return (
        repo.git("--no-optional-locks", "ls-files", "-z", "-v", "--stage", at=top),
        repo.git("--no-optional-locks", "diff", "--cached", "--raw", "-z", "--no-abbrev", at=top),
        repo.git("--no-optional-locks", "status", "--porcelain=v2", "-z", "--untracked-files=all", at=top),
    )


def manifest(repo: GitRepo, top: Path) -> tuple[object, ...]:
    return on_disk(top), index_of(repo, top)
