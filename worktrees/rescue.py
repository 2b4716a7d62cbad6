"""Snapshots of uncommitted work under ``refs/planctl/rescue/``, made before a worktree is reused.

Promise: whatever :func:`rescue` returns from, every path that git reports in the worktree, and every ignored
file asked for, is in the snapshot byte for byte, with permissions, links, the staged and unstaged split,
unmerged stages, hiding marks, the worktree's own references and the operation in progress; the proof reads
the disk again without git. The worktree's files and index are never touched.

Where something cannot be captured, the rest is kept all the same, and :class:`RescueIncompleteError` says
both. It is raised, too, with everything kept (``whole``), when the worktree holds repositories of its own:
nested ones, submodules with uncommitted work, stash entries or commits that no remote has. They are kept as
they are, git folders included, but it is for a person to say that they may go.

Not kept, because git has no place for it and it holds no bytes: folders without files, sockets, pipes,
devices, times of modification, owners. A pipe or device in the place of a tracked file is an error, never
skipped. Ignored files are kept only by pattern, also of repositories inside. A change of line endings alone
that ``git add`` was given is, to git, no change: it is not reported, so not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worktrees.capture import Wanted
from worktrees.errors import (
    GitFailedError,
    NotARepositoryError,
    RescueIncompleteError,
    RescueInterruptedError,
)
from worktrees.filing import PREFIX, file_snapshot
from worktrees.git import valid_reference
from worktrees.snapshots import show
from worktrees.taking import take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.git import Git

__all__ = ["PREFIX", "RescueInfo", "Rescued", "list_rescues", "rescue", "show"]


@dataclass(frozen=True, slots=True)
class Rescued:
    """A snapshot that is referenced: ``paths`` counts what it holds beyond its HEAD commit.

    ``operation`` is what the worktree was in the middle of (a :class:`state.Condition`), or None.
    """

    reference: str
    commit: str
    paths: int
    operation: str | None


def rescue(  # noqa: PLR0913 - one door, and each of these is a fact about the worktree
    git: Git,
    worktree: Path,
    label: str,
    *,
    ignored: Sequence[str] = (),
    named: Sequence[str] = (),
    stamp: str,
    git_dir: Path | None = None,
) -> Rescued | None:
    """Snapshot ``worktree`` under ``refs/planctl/rescue/<label>/<stamp>``; None: there is nothing to keep.

    Where the newest snapshot of ``label`` holds the very same, its reference stands for both (filing.py).

    ``ignored`` are patterns of ignored files to keep (git globs; without a slash at any depth; a folder
    means all in it), ``named`` further ones by their very paths. ``stamp`` makes the name unique, a ULID.
    ``git_dir`` is the worktree's metadata folder where the caller knows it, so that a damaged ``.git`` file
    costs nothing. Whoever calls has stopped what ran in the worktree: a file that changes meanwhile is lost.

    Raises :class:`RescueIncompleteError` as the module's text says; :class:`InvalidReferenceError` for a
    label that cannot be a reference.
    """
    valid_reference(f"{PREFIX}/{label}/{stamp}")
    if git_dir is not None and worktree.is_symlink():
        raise RescueIncompleteError(worktree, "it was replaced by a symbolic link")
    worktree = worktree.resolve()
    try:
        taken = take(git, worktree, git_dir, label, Wanted(tuple(ignored), tuple(named)))
        reference = file_snapshot(git, label, stamp, taken.commit) if taken else None
    except (GitFailedError, NotARepositoryError, OSError) as error:
        killed = isinstance(error, GitFailedError) and error.status < 0
        raise (RescueInterruptedError if killed else RescueIncompleteError)(worktree, str(error)) from error
    if taken is None or reference is None:
        return None
    if taken.reasons:
        reason = ", ".join(taken.reasons[:5])
        raise RescueIncompleteError(worktree, reason, reference, whole=not taken.lost)
    return Rescued(reference, taken.commit, taken.paths, taken.operation)


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
