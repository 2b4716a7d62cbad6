"""Files of a slot that bringing it to another commit would destroy although no rescue took them.

A rescue takes what git reports under the ``.gitignore`` of the slot's own commit, so not what that ignores.
Two things put such a file at risk when the slot moves to another commit:

* the new commit no longer ignores it: it is untracked then, and swept
* the new commit tracks a file of that name, or one above or below it: the checkout writes over it
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.slot import run_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worktrees.git import Git
    from worktrees.slot import SlotTree

_ARGUMENTS: Final = 1000
"""Paths for one command line, which has its limit."""


def untracked(git: Git, tree: SlotTree) -> tuple[str, ...]:
    """Untracked files that are not ignored, from the slot's top; a repository inside ends with a slash."""
    return tuple(run_in(git, tree, "ls-files", "--others", "--exclude-standard", "-z").records)


def overwritten(git: Git, tree: SlotTree, commit: str) -> tuple[str, ...]:
    """Ignored files in the slot that a forced checkout of ``commit`` would write over or delete."""
    coming = run_in(
        git,
        tree,
        "diff-index",
        "--cached",
        ALL_SUBMODULES,
        "--name-only",
        "--diff-filter=D",
        "-z",
        commit,
    )
    replaced = run_in(git, tree, "ls-files", "--modified", "-z")  # a folder may stand in a file's place
    wanted = dict.fromkeys((*coming.records, *(p for p in replaced.records if not _is_file(tree, p))))
    obstacles = list(dict.fromkeys(o for path in wanted if (o := obstacle(tree, path)) is not None))
    return tuple(dict.fromkeys(_ignored_below(git, tree, obstacles)))


def _is_file(tree: SlotTree, path: str) -> bool:
    place = tree.path / path
    return place.is_symlink() or place.is_file()


def obstacle(tree: SlotTree, path: str) -> str | None:
    """What has to go for a file to be written at ``path``: what stands there, or a file above it."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        place = tree.path / above
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            return above
    return path if os.path.lexists(tree.path / path) else None


def _ignored_below(git: Git, tree: SlotTree, paths: list[str]) -> Iterator[str]:
    asked = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--")
    for start in range(0, len(paths), _ARGUMENTS):
        named = [f":(top,literal){path}" for path in paths[start : start + _ARGUMENTS]]
        yield from run_in(git, tree, *asked, *named).records
