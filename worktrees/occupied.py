"""What stands in a working tree where a change of commits is going to write, and no index knows of it.

These are untracked and ignored files, and what a submodule's folder holds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from worktrees.changedpaths import GITLINK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from worktrees.changedpaths import Changed


def occupied(top: Path, changed: Sequence[Changed]) -> set[str]:
    """The added paths where something untracked stands, or where one of their folders is to be."""
    going = {change.path for change in changed if not change.is_added}
    return {change.path for change in changed if change.is_added and _is_occupied(top, change.path, going)}


def replaced_submodules(top: Path, changed: Sequence[Changed]) -> set[str]:
    """Submodules that make room for files, and whose folder holds anything.

    git removes such a folder with all that is in it, its repository included. A submodule that only goes away
    leaves its folder behind, untracked.
    """
    comes = {change.path for change in changed if not change.is_deleted and change.new_mode != GITLINK}
    needed = comes | {parent for path in comes for parent in parents_of(path)}
    gone = (change.path for change in changed if change.old_mode == GITLINK != change.new_mode)
    return {path for path in gone if path in needed and holds_anything(top / path)}


def parents_of(path: str) -> Iterator[str]:
    """The folders of a path of git's, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def is_barred(top: Path, path: str) -> bool:
    """Whether one of the path's folders is a link or no folder: what is behind it is not the path."""
    return any(_is_no_folder(top / parent) for parent in parents_of(path))


def holds_anything(folder: Path) -> bool:
    """Whether it is a folder, by itself and no link, that is not empty."""
    return folder.is_dir() and not folder.is_symlink() and any(folder.iterdir())


def _is_no_folder(path: Path) -> bool:
    return os.path.lexists(path) and (path.is_symlink() or not path.is_dir())


def _is_occupied(top: Path, path: str, going: set[str]) -> bool:
    if os.path.lexists(top / path):
        return not (top / path).is_dir() or _holds_others(top / path, path, going)
    return any(_is_no_folder(top / parent) and parent not in going for parent in parents_of(path))


def _holds_others(folder: Path, path: str, going: set[str]) -> bool:
    """A folder in the way of a file holds nothing of the user's if all its files go with the landing."""
    if folder.is_symlink():
        return True
    for root, _, names in os.walk(folder):
        below = os.path.relpath(root, folder)
        for name in names:
            inside = name if below == "." else f"{below}/{name}"
            if f"{path}/{inside}" not in going:
                return True
    return False
