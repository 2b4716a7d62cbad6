"""Everything that a worktree holds, as values that can be compared: bytes, modes, links, index, operation."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.support.repo import GitRepo


def on_disk(top: Path) -> dict[str, tuple[int, bytes]]:
    """Path to (mode bits, content or link target) of every file below ``top`` outside ``.git``."""
    found = {}
    for here, folders, files in os.walk(top):
        links = [name for name in folders if (Path(here) / name).is_symlink()]
        for path in (Path(here) / name for name in [*files, *links]):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                content = os.fsencode(path.readlink())
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            else:
                continue
            found[str(path.relative_to(top))] = (mode, content)
    return {name: held for name, held in found.items() if ".git" not in Path(name).parts}


def index_of(repo: GitRepo, top: Path) -> tuple[str, str, str]:
    """Entries with stages and hiding marks, what git says is staged, and what it says is not."""
    return (
        repo.git("--no-optional-locks", "ls-files", "-z", "-v", "--stage", at=top),
        repo.git("--no-optional-locks", "diff", "--cached", "--raw", "-z", "--no-abbrev", at=top),
        repo.git("--no-optional-locks", "status", "--porcelain=v2", "-z", "--untracked-files=all", at=top),
    )


def manifest(repo: GitRepo, top: Path) -> tuple[object, ...]:
    return on_disk(top), index_of(repo, top)
