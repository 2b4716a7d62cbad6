"""What is in a worktree: its changes, and the merge, rebase or the like that it is in the middle of.

Reading only. The index is refreshed in memory and never written (``GIT_OPTIONAL_LOCKS=0``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from worktrees import repository
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import NotARepositoryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.git import Git

TRUE_STAT: Final = (
    "-c", "core.trustCtime=true",  # a tool that puts mtime back must not hide an edit
    "-c", "core.checkStat=default",  # as trustCtime
    "-c", "core.ignoreStat=false",  # would mark entries as unchanged for ever
    "-c", "core.untrackedCache=false",  # the slot's may be stale, and a copy of the index has none
    "-c", "core.splitIndex=false",  # a copy that is written must be whole by itself
)  # fmt: skip
"""Settings under which git believes no shortcut that the user's configuration allows it."""
DIRT: Final = (
    *TRUE_STAT,
    *("status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal", ALL_SUBMODULES),
)
"""Asks what differs from HEAD or is untracked, whatever the user has git show; a name follows three bytes."""


class Condition(StrEnum):
    """The one word for a worktree; what it is in the middle of goes before whether it is dirty."""

    CLEAN = "clean"
    DIRTY = "dirty"
    MERGING = "merging"
    REBASING = "rebasing"
    CHERRY_PICKING = "cherry-picking"
    REVERTING = "reverting"
    BISECTING = "bisecting"
    APPLYING = "applying"


class ChangeKind(StrEnum):
    """Where a change lives: in a tracked file, in an unmerged index entry, or in an untracked file."""

    TRACKED = "tracked"
    UNMERGED = "unmerged"
    UNTRACKED = "untracked"


@dataclass(frozen=True, slots=True)
class Change:
    """One path that ``git status`` reports.

    ``xy`` are git's two letters (index, worktree; ``.`` for unchanged, ``??`` for untracked). ``submodule``
    is git's four letters, ``N...`` for anything but a submodule. ``path`` ends in ``/`` only where git saw a
    repository inside the worktree.
    """

    path: str
    xy: str
    kind: ChangeKind
    submodule: str = "N..."


@dataclass(frozen=True, slots=True)
class WorktreeState:
    """The condition of a worktree and everything in it that is not in its HEAD commit."""

    condition: Condition
    changes: tuple[Change, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The changed paths, in git's order."""
        return tuple(change.path for change in self.changes)


def worktree_state(git: Git, path: Path) -> WorktreeState:
    """Return the state of the worktree at ``path``.

    Files marked assume-unchanged or skip-worktree are seen as git sees them; :func:`rescue.rescue` looks
    behind those marks. Raises :class:`NotARepositoryError` when ``path`` is no worktree of this repository.
    """
    operation = operation_in(own_git_dir(git, path))
    changes = status(git, path)
    return WorktreeState(operation or (Condition.DIRTY if changes else Condition.CLEAN), changes)


def status(
    git: Git, worktree: Path, index: Path | None = None, *, settings: Sequence[str] = ()
) -> tuple[Change, ...]:
    """Return every change in ``worktree``, against the index file ``index`` instead of its own if given.

    ``settings`` are further ones for git, ``-c`` before each.
    """
    result = git.run(
        *TRUE_STAT,
        *settings,
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        ALL_SUBMODULES,
        at=worktree,
        extra=index_variables(index),
    )
    return tuple(_change(record) for record in result.records)


def index_variables(index: Path | None) -> dict[str, str]:
    """The environment that makes git use ``index``; empty for the worktree's own."""
    return {} if index is None else {"GIT_INDEX_FILE": str(index)}


_FIELDS_BEFORE_PATH: Final = {"1": 8, "u": 10}


def _change(record: str) -> Change:
    kind = record[0]
    if kind == "?":
        return Change(record[2:], "??", ChangeKind.UNTRACKED)
    fields = record.split(" ", _FIELDS_BEFORE_PATH[kind])
    return Change(
        path=fields[-1],
        xy=fields[1],
        kind=ChangeKind.UNMERGED if kind == "u" else ChangeKind.TRACKED,
        submodule=fields[2],
    )


def own_git_dir(git: Git, worktree: Path) -> Path:
    """Return the git folder of ``worktree``, or raise :class:`NotARepositoryError`.

    A folder whose ``.git`` is gone would let git find a repository further up and read that one instead; so
    the folder must be a worktree's top, and of this repository.
    """
    found = repository.find(worktree)
    if found.top != worktree.resolve() or found.common_dir != git.repository.common_dir:
        raise NotARepositoryError(worktree)
    return found.git_dir


def operation_in(git_dir: Path) -> Condition | None:
    """Return what the worktree of ``git_dir`` is in the middle of, by the files git itself goes by."""
    if (git_dir / "rebase-apply").is_dir():
        is_am = (git_dir / "rebase-apply" / "applying").exists()
        return Condition.APPLYING if is_am else Condition.REBASING
    for name, condition in _SIGNS:
        if (git_dir / name).exists():
            return condition
    return _sequencer(git_dir)


_SIGNS: Final = (
    ("rebase-merge", Condition.REBASING),  # first: a stopped rebase also has CHERRY_PICK_HEAD
    ("MERGE_HEAD", Condition.MERGING),
    ("CHERRY_PICK_HEAD", Condition.CHERRY_PICKING),
    ("REVERT_HEAD", Condition.REVERTING),
    ("BISECT_LOG", Condition.BISECTING),
)


def _sequencer(git_dir: Path) -> Condition | None:
    """Between two commits of a cherry-pick or revert of many only the to-do list tells."""
    todo = git_dir / "sequencer" / "todo"
    if not todo.exists():
        return None
    return Condition.REVERTING if todo.read_bytes().startswith(b"revert") else Condition.CHERRY_PICKING
