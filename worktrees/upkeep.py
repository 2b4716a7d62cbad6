"""How well a repository is kept, as far as its git folder tells: nothing is changed, one process at most."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.slot import registered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.repository import Repository

_SAMPLE: Final = "17"
"""One of 256 folders of loose objects; git's own gc counts the same one."""
_LOOSE: Final = re.compile(r"[0-9a-f]{38,}")


def loose_objects(repository: Repository) -> int:
    """About how many objects lie in files of their own: one folder is counted, as ``git gc --auto`` does."""
    try:
        names = (path.name for path in (repository.common_dir / "objects" / _SAMPLE).iterdir())
        return 256 * sum(1 for name in names if _LOOSE.fullmatch(name))
    except FileNotFoundError:
        return 0


@dataclass(frozen=True, slots=True)
class HalfWritten:
    """Temporary packs that nobody has written to since: how many, and their bytes."""

    count: int
    size: int


def half_written(repository: Repository, before: float) -> HalfWritten:
    """What killed gits left among the packs, last written ``before``, in seconds since 1970."""
    found = []
    for path in (repository.common_dir / "objects" / "pack").glob("tmp_*"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just given it its name
            stat = path.stat()
            found += [stat.st_size] if stat.st_mtime < before else []
    return HalfWritten(len(found), sum(found))


def prunable_worktrees(repository: Repository, pool: Path) -> Iterator[Path]:
    """Worktrees of the user's that git knows and whose folder is gone; those that he locked are meant so."""
    for git_dir, worktree in registered(repository.common_dir):
        ours = worktree.is_relative_to(pool) or worktree.is_relative_to(repository.state_dir)
        if not ours and not (worktree / ".git").exists() and not (git_dir / "locked").exists():
            yield worktree


def keeps_for(git: Git, setting: str, now: float) -> float | None:
    """For how many seconds before ``now`` a setting of git's (``gc.pruneExpire``) keeps; None where unset.

    Infinity for ever; 0 for a word that git does not understand, as git would refuse to work with it.
    """
    if git.settings.get(setting.lower()) is None:
        return None
    said = git.run("config", "--type=expiry-date", "--get", setting, ok=())
    if said.status or not said.text.isdigit():
        return 0.0
    moment = int(said.text)
    return float("inf") if moment == 0 else max(0.0, now - moment)
