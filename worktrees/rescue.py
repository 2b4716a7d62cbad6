"""Snapshots of uncommitted work under ``refs/planctl/rescue/``, made before a worktree is reused.

Promise: whatever :func:`rescue` returns from, every path that git reports in the worktree, and every ignored
file asked for, is in the snapshot byte for byte, with permissions, links, the staged and unstaged split,
unmerged stages, hiding marks and the operation in progress; the proof reads the disk again without git. The
worktree's files and index are never touched. Where that cannot be had, :class:`RescueIncompleteError`.

Not kept, because git has no place for it and it holds no bytes: folders without files, sockets, pipes,
devices, times of modification, owners. A pipe or device in the place of a tracked file is an error, never
skipped. Ignored files are kept only by pattern. A change of line endings alone that ``git add`` was given is,
to git, no change: it is not reported, so not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.capture import survey
from worktrees.errors import (
    GitFailedError,
    NotARepositoryError,
    RescueIncompleteError,
    RescueInterruptedError,
)
from worktrees.git import valid_reference
from worktrees.references import Create, References
from worktrees.scratch import scratch_folder
from worktrees.snapshot import make_snapshot
from worktrees.snapshots import show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.capture import Survey
    from worktrees.git import Git

__all__ = ["PREFIX", "RescueInfo", "Rescued", "list_rescues", "rescue", "show"]
PREFIX: Final = "refs/planctl/rescue"


@dataclass(frozen=True, slots=True)
class Rescued:
    """A snapshot that is referenced: ``paths`` counts what it holds beyond its HEAD commit.

    ``operation`` is what the worktree was in the middle of (a :class:`state.Condition`), or None.
    """

    reference: str
    commit: str
    paths: int
    operation: str | None


def rescue(
    git: Git,
    worktree: Path,
    label: str,
    *,
    ignored: Sequence[str] = (),
    named: Sequence[str] = (),
    stamp: str,
) -> Rescued | None:
    """Snapshot ``worktree`` under ``refs/planctl/rescue/<label>/<stamp>``; None: there is nothing to keep.

    ``ignored`` are patterns of ignored files to keep (git globs; without a slash at any depth; a folder
    means all in it), ``named`` further ones by their very paths. ``stamp`` makes the name unique, a ULID.
    Whoever calls has stopped what ran in the worktree: a file that changes meanwhile is an error.

    Raises :class:`RescueIncompleteError` whenever not everything could be captured, for whatever reason;
    :class:`InvalidReferenceError` for a label that cannot be a reference.
    """
    reference = valid_reference(f"{PREFIX}/{label}/{stamp}")
    worktree = worktree.resolve()
    try:
        with scratch_folder(git) as scratch:
            found = survey(git, worktree, scratch, ignored, named)
            if not found.paths and found.operation is None:
                return None
            commit = make_snapshot(git, found, _message(found, label))
    except (GitFailedError, NotARepositoryError, OSError) as error:
        killed = isinstance(error, GitFailedError) and error.status < 0
        raise (RescueInterruptedError if killed else RescueIncompleteError)(worktree, str(error)) from error
    message = f"planctl: rescue of {label}"
    References(git).transact([Create(reference, commit)], message=message, step="rescue.reference")
    return Rescued(reference, commit, len(found.paths), found.operation)


def _message(found: Survey, label: str) -> str:
    count = len(found.paths)
    paths = "1 path" if count == 1 else f"{count} paths"
    operation = f", {found.operation}" if found.operation else ""
    return f"planctl rescue of {label}: {paths}{operation}\n"


@dataclass(frozen=True, slots=True)
class RescueInfo:
    """One snapshot in the list; ``at`` is ISO 8601 in UTC."""

    reference: str
    commit: str
    label: str
    stamp: str
    subject: str
    at: str


def list_rescues(git: Git) -> tuple[RescueInfo, ...]:
    """Every snapshot of this repository, by name and stamp, so that a label's newest comes last."""
    fields = "%(refname)%00%(objectname)%00%(committerdate:format-local:%Y-%m-%dT%H:%M:%SZ)%00%(subject)"
    lines = git.run("for-each-ref", f"--format={fields}", "--", PREFIX, extra={"TZ": "UTC"}).text.splitlines()
    return tuple(_info(*line.split("\0", 3)) for line in lines)


def _info(reference: str, commit: str, at: str, subject: str) -> RescueInfo:
    label, _, stamp = reference.removeprefix(f"{PREFIX}/").rpartition("/")
    return RescueInfo(reference, commit, label, stamp, subject, at)
