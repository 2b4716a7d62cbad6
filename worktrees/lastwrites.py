"""What is uncommitted in a checkout, and what each file was like: two looks tell what was written in between.

Reading only. While git is at work on the index nothing is told: a user's own ``git switch`` and planctl
bringing the checkout along show files as changed that are about to be in HEAD. So the index must be unlocked,
and the same file before and after the look; who works holds its lock from the first file to the last.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worktrees.state import operation_in, own_git_dir, status
from worktrees.uncommitted import ONE_THREAD
from worktrees.unread import Unread, read_or_why

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worktrees.git import Git

MOST: Final = 20_000
"""Uncommitted paths beyond which no look is worth its cost."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A file at one moment; ``changed`` is when its inode last changed (ns), None of one that is gone.

    Two marks are equal where nothing was written: ``changed`` moves by a new link, too, and does not count.
    """

    written: tuple[int, ...] = ()
    changed: int | None = field(default=None, compare=False)


def last_writes(git: Git, checkout: Path) -> Mapping[str, Mark] | Unread:
    """The uncommitted files of ``checkout`` as git status names them, without ignored ones."""
    return read_or_why(checkout, lambda: _read(git, checkout))


def written(before: Mapping[str, Mark] | None, now: Mapping[str, Mark], since: int) -> tuple[str, ...]:
    """The files of ``now`` that were written after ``before``, and after ``since`` (ns), sorted.

    Without ``before`` only ``since`` tells; what has vanished was then gone already.
    """
    return tuple(
        sorted(
            path
            for path, mark in now.items()
            if (before is None or before.get(path) != mark)
            and (before is not None if mark.changed is None else mark.changed >= since)
        )
    )


def _read(git: Git, checkout: Path) -> Mapping[str, Mark] | Unread:
    git_dir = own_git_dir(git, checkout)
    index = _index(git_dir)
    operation = operation_in(git_dir)
    if index is None or operation is not None:
        return Unread(f"it is {operation}" if operation else "git is at work on its index")
    changes = status(git, checkout, settings=ONE_THREAD)
    found = {change.path: _mark(checkout, change.path) for change in changes[:MOST]}
    if _index(git_dir) != index:
        return Unread("git is at work on its index")
    if len(changes) > MOST:
        return Unread(f"it has more than {MOST} uncommitted files")
    return found


def _index(git_dir: Path) -> tuple[int, ...] | None:
    """Which file the index is; None while it is locked."""
    if os.path.lexists(git_dir / "index.lock"):
        return None
    try:
        seen = (git_dir / "index").stat()
    except FileNotFoundError:  # a repository without any file
        return ()
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _mark(checkout: Path, path: str) -> Mark:
    try:
        seen = os.lstat(os.fsencode(checkout) + b"/" + path.encode("utf-8", "surrogateescape"))
    except (FileNotFoundError, NotADirectoryError):
        return Mark()
    if stat.S_ISDIR(seen.st_mode):  # a repository inside: what is in it is not looked at
        return Mark((seen.st_ino,), 0)
    return Mark((seen.st_ino, seen.st_mode, seen.st_size, seen.st_mtime_ns), seen.st_ctime_ns)
