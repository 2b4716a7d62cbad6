"""One look at an index and at the untracked names beside it, in one git process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.state import TRUE_STAT, index_variables

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

GITLINK: Final = "160000"


@dataclass(frozen=True, slots=True)
class Stage:
    """One side of an unmerged path: ``stage`` 1 base, 2 ours, 3 theirs."""

    stage: int
    mode: str
    object: str
    path: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What an index says beyond plain entries.

    ``folders`` holds every folder with a tracked file in it (the top is ``""``); ``gitlinks`` are the paths
    of submodules; ``others`` are untracked names that nothing ignores, a folder as ``name/``
    without what is in it, folders without any file included.
    """

    folders: frozenset[str]
    gitlinks: tuple[str, ...]
    unmerged: tuple[Stage, ...]
    assumed: tuple[str, ...]
    skipped: tuple[str, ...]
    others: tuple[str, ...]

    def hidden(self, worktree: Path) -> tuple[str, ...]:
        """The skip-worktree files that are on disk all the same; the others a sparse checkout left out."""
        return tuple(path for path in self.skipped if os.path.lexists(worktree / path))


def read_listing(git: Git, worktree: Path, index: Path | None = None) -> Listing:
    """Return the listing of ``worktree``, of the index file ``index`` instead of its own if given."""
    records = git.run(
        *TRUE_STAT,
        "ls-files",
        "-z",
        "-v",
        "--stage",
        "--cached",
        "--others",
        "--directory",
        "--exclude-standard",
        at=worktree,
        extra=index_variables(index),
    ).records
    return parse_listing(records)


def parse_listing(records: list[str]) -> Listing:
    """Read records ``TAG SP (PATH | MODE SP OBJECT SP STAGE TAB PATH)``; see ``git help ls-files`` on -v."""
    folders = {""}
    others: list[str] = []
    odd: list[tuple[str, str]] = []
    for record in records:
        if record.startswith("? "):
            others.append(record[2:])
            continue
        entry, path = record.split("\t", 1)
        folders.add(path.rpartition("/")[0])
        if not entry.startswith("H 1") or entry.startswith("H 160"):
            odd.append((entry, path))
    split = [(*entry.split(" "), path) for entry, path in odd]
    return Listing(
        folders=frozenset(_with_parents(folders)),
        gitlinks=tuple(dict.fromkeys(path for _, mode, _, _, path in split if mode == GITLINK)),
        unmerged=tuple(Stage(int(n), mode, oid, path) for _, mode, oid, n, path in split if n != "0"),
        assumed=tuple(path for tag, _, _, _, path in split if tag.islower()),
        skipped=tuple(path for tag, _, _, _, path in split if tag in "Ss"),
        others=tuple(others),
    )


def _with_parents(folders: set[str]) -> set[str]:
    every = set(folders)
    for folder in folders:
        above = folder.rpartition("/")[0]
        while above not in every:
            every.add(above)
            above = above.rpartition("/")[0]
    return every
