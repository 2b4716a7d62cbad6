"""What HEAD and other names of a worktree stand for, read from git's own files.

Plain strings in place of paths: a landing asks this of every worktree of a run, and the objects cost more
than the reading.
"""
# ruff: noqa: PTH114, PTH115, PTH118, PTH123 - see above

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_DEEPEST: Final = 5
"""Git follows no more symbolic references than that (``SYMREF_MAXDEPTH``)."""
_OWN: Final = ("refs/bisect/", "refs/worktree/", "refs/rewritten/")


def head_of(git_dir: Path) -> str:
    """The text of HEAD: a commit, or ``ref: refs/heads/…``; empty when there is none."""
    return read_text(os.path.join(git_dir, "HEAD")) or ""


def end_of(git_dir: Path, name: str) -> str:
    """The reference that ``name`` stands for in a worktree: itself, or the end of its chain of symbolic ones.

    ``name`` is ``HEAD`` or a full name; a detached HEAD stands for itself. Symbolic references are loose
    files always (files backend), or links as ``core.preferSymlinkRefs`` makes them.
    """
    for _ in range(_DEEPEST):
        following = _next_of(_loose(git_dir, name))
        if following is None:
            break
        name = following
    return name


def _next_of(path: str) -> str | None:
    text = f"ref: {os.readlink(path)}" if os.path.islink(path) else read_text(path) or ""
    name = text.removeprefix("ref:").strip()
    is_name = name.startswith("refs/") and ".." not in name and "\0" not in name
    return name if text.startswith("ref:") and is_name else None


def _loose(git_dir: Path, name: str) -> str:
    """The file of a reference: HEAD and those of gitglossary's "per-worktree ref" are the worktree's own."""
    own = not name.startswith("refs/") or name.startswith(_OWN)
    common = None if own else read_text(os.path.join(git_dir, "commondir"))
    return os.path.join(git_dir, common or "", name)


def read_text(path: str | Path) -> str | None:
    """The content of a small file without its last line's end; None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
