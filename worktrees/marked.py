"""Which files of a prepared merge hold conflicts that nobody took out, in markers of whatever size.

A file may have been moved or copied with its markers: so they are looked for in every file that is as on
neither side, and in all sizes that ``conflict-marker-size`` names for any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.markers import SIZE, count_conflicts
from worktrees.slot import run_in
from worktrees.unsaved import untracked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worktrees.git import Git
    from worktrees.slot import SlotTree

_DIGITS: Final = 4
"""Longer markers than these are nobody's."""


def changed_from_all(git: Git, tree: SlotTree, sides: Iterable[str], *, new: bool) -> tuple[str, ...]:
    """The files that are in none of ``sides`` as they are in the slot, sorted; ``new``: untracked, too."""
    asked = ("diff-index", "--name-only", "--no-ext-diff", "--no-renames", "--ignore-submodules=all", "-z")
    changed = [set(run_in(git, tree, *asked, side, "--").records) for side in sides]
    return tuple(sorted(set.intersection(*changed).union(untracked(git, tree) if new else ())))


def marker_sizes(git: Git, tree: SlotTree, paths: Iterable[str]) -> frozenset[int]:
    """The sizes that markers in ``paths`` may have, by the attributes in the slot."""
    asked = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    said = git.run("check-attr", "--stdin", "-z", "conflict-marker-size", at=tree.path, stdin=asked)
    values = said.records[2::3]
    return frozenset(
        {SIZE, *(int(v) for v in values if v.isascii() and v.isdigit() and len(v) <= _DIGITS and int(v))}
    )


def marked_in(git: Git, tree: str, paths: Iterable[str], sizes: Iterable[int]) -> frozenset[str]:
    """Those of ``paths`` whose blob in the tree of a merge holds a whole conflict."""
    known = tuple(sizes)
    return frozenset(path for path in paths if any(_in_blob(git, tree, path, size) for size in known))


def marked(git: Git, tree: SlotTree, paths: Iterable[str], sides: Iterable[str]) -> tuple[str, ...]:
    """Those of ``paths`` whose file holds more whole conflicts than it does in any commit of ``sides``."""
    asked, commits = tuple(paths), tuple(sides)
    sizes = marker_sizes(git, tree, asked)
    return tuple(path for path in asked if any(_is_marked(git, tree, path, commits, s) for s in sizes))


def marked_there(git: Git, tree: SlotTree, treeish: str, sides: Iterable[str]) -> tuple[str, ...]:
    """The paths of ``treeish`` as in none of ``sides``, with more whole conflicts than in any of these."""
    commits = tuple(sides)
    asked = (
        "diff-tree",
        "-r",
        "--name-only",
        "--no-ext-diff",
        "--no-renames",
        "--ignore-submodules=all",
        "-z",
    )
    changed = [set(run_in(git, tree, *asked, side, treeish, "--").records) for side in commits]
    paths = sorted(set.intersection(*changed))
    sizes = marker_sizes(git, tree, paths)
    return tuple(path for path in paths if any(_has_more(git, treeish, path, commits, s) for s in sizes))


def _has_more(git: Git, treeish: str, path: str, commits: tuple[str, ...], size: int) -> bool:
    now = _in_blob(git, treeish, path, size)
    return bool(now) and now > max((_in_blob(git, commit, path, size) for commit in commits), default=0)


def _is_marked(git: Git, tree: SlotTree, path: str, commits: tuple[str, ...], size: int) -> bool:
    file = tree.path / path
    if file.is_symlink() or not file.is_file():
        return False
    now = count_conflicts(file.read_bytes().splitlines(keepends=True), size)
    return bool(now) and now > max((_in_blob(git, commit, path, size) for commit in commits), default=0)


def _in_blob(git: Git, treeish: str, path: str, size: int) -> int:
    blob = git.run("cat-file", "blob", f"{treeish}:{path}", ok=())
    return 0 if blob.status else count_conflicts(blob.output.splitlines(keepends=True), size)


def is_nothing(tree: SlotTree, path: str) -> bool:
    """Whether there is no file at ``path``, or an empty one: no conflict is in it, and no merge either."""
    file = tree.path / path
    return not file.is_symlink() and (not file.exists() or (file.is_file() and not file.stat().st_size))
