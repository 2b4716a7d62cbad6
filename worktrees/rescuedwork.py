"""What a snapshot would put into a worktree: files to write and delete, and every path that is work in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from worktrees.listing import GITLINK
from worktrees.replacement import Replacement
from worktrees.snapshot import tree_entries

if TYPE_CHECKING:
    from collections.abc import Collection

    from worktrees.git import Git
    from worktrees.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Work:
    """``paths`` are all that files and index differ in from the base, ``aside`` files that are kept beside.

    ``submodules`` are those of the paths whose commit was changed.
    """

    files: Replacement
    submodules: tuple[str, ...]
    paths: frozenset[str]
    aside: frozenset[str]


def work_of(git: Git, snapshot: Snapshot) -> Work:
    """What the snapshot holds beyond its base."""
    files, submodules = _replacement(git, snapshot)
    roots = {*snapshot.notes.nested, *snapshot.aside.worktrees, *(kept.path for kept in snapshot.aside.kept)}
    unmerged = {path for _, path in snapshot.stages}
    paths = {*snapshot.notes.paths, *snapshot.raw, *files.deleted, *unmerged, *snapshot.notes.intended}
    aside = {*(kept.path for kept in snapshot.aside.kept if not kept.is_folder), *snapshot.aside.worktrees}
    return Work(files, submodules, frozenset(paths - roots), frozenset(aside))


def _replacement(git: Git, snapshot: Snapshot) -> tuple[Replacement, tuple[str, ...]]:
    """What to put on disk, and the submodules among the kept paths."""
    entries = tree_entries(git, snapshot.commit)
    before = tree_entries(git, snapshot.base_tree)
    kept = {*snapshot.notes.paths, *snapshot.raw}
    held = {path: entries[path] for path in sorted(kept) if path in entries}
    submodules = tuple(path for path, (mode, _) in held.items() if mode == GITLINK)
    gone = {*kept, *_below(held.keys(), before)}  # git says nothing of what was below a link to itself
    plan = Replacement.of(
        {path: (mode, snapshot.raw.get(path, oid)) for path, (mode, oid) in held.items() if mode != GITLINK},
        deleted=[p for p in sorted(gone) if p not in entries and p in before and before[p][0] != GITLINK],
        permissions=snapshot.notes.permissions,
    )
    return plan, submodules


def _below(files: Collection[str], paths: Collection[str]) -> list[str]:
    """Those of ``paths`` that have one of ``files`` in the place of a folder above them."""
    folders = {path.rpartition("/")[0] for path in paths}
    closed = {f for f in folders if f in files or any(str(p) in files for p in PurePosixPath(f).parents)}
    return [path for path in paths if path.rpartition("/")[0] in closed]
