"""Restores that were cut short by a kill: found by their journals, and taken back.

1. A worktree that is gone, or whose HEAD stands elsewhere by now (restorehead.py), is not the restore's any
   more: it is left as it is, and the journal dropped. Nothing is lost by that: what was written over is
   rescued or in HEAD.
2. What stands in it is rescued first, so whatever a person did there since is kept.
3. Everything is put back as it was before the restore. Killed in between, the next time goes on.

The caller holds the right to restore (``restorejournal.restoring``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from worktrees.errors import GitFailedError, RescueIncompleteError
from worktrees.followlock import BUSY, following
from worktrees.rescue import rescue
from worktrees.restoreerrors import HalfRestoredError
from worktrees.restorehead import why_not
from worktrees.restorejournal import close, journals, release_index, sweep, take_back
from worktrees.slot import registered

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.repository import Repository
    from worktrees.restorejournal import Journal

HALF: Final = "half-restored"
"""What the rescues of half restored worktrees are filed under."""


@dataclass(frozen=True, slots=True)
class HalfRestored:
    """A restore that was cut short, and the folder of its journal; ``into`` is where the worktree is now."""

    folder: Path
    journal: Journal
    into: Path


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of it: ``rescued`` keeps what stood there; ``left`` says why nothing was touched.

    ``moved`` is the branch that HEAD was on, where that has moved since: HEAD was left detached then.
    """

    reference: str
    into: str
    rescued: str | None = None
    left: str = ""
    moved: str = ""


def half_restored(repository: Repository) -> tuple[HalfRestored, ...]:
    """Every restore that is under way or was cut short."""
    places = {str(git_dir): worktree for git_dir, worktree in registered(repository.common_dir)}
    found = []
    for folder, journal in journals(repository).items():
        if journal is not None:
            into = places.get(journal.git_dir) or Path(journal.into)
            found.append(HalfRestored(folder, journal, into))
    return tuple(found)


def sweep_closed(repository: Repository) -> None:
    """Delete what killed restores left that had written nothing, or all."""
    for folder, journal in journals(repository).items():
        if journal is None:
            sweep(folder)


def undo(git: Git, half: HalfRestored, stamp: str, *, given_on: bool = False) -> TakenBack:
    """Take it back; ``given_on``: the pool has given the worktree to somebody else since.

    ``stamp`` names the rescue, a ULID. Raises :class:`HalfRestoredError`; then the journal is still there.
    """
    journal, into = half.journal, half.into
    if given_on:
        return _dropped(half, "the worktree was given to somebody else")
    if not Path(journal.git_dir).is_dir():
        return _dropped(half, "the worktree is gone")
    with following(git.repository, Path(journal.git_dir)) as lock:
        if lock is None:
            raise HalfRestoredError(into, BUSY)
        reason = why_not(git, journal, into)
        return _dropped(half, reason) if reason else _undo(git, half, stamp)


def _dropped(half: HalfRestored, reason: str) -> TakenBack:
    close(half.folder)
    sweep(half.folder)
    return TakenBack(half.journal.reference, half.journal.into, left=reason)


def _undo(git: Git, half: HalfRestored, stamp: str) -> TakenBack:
    journal, into = half.journal, half.into
    git_dir = Path(journal.git_dir)
    release_index(git_dir, half.folder)
    if (git_dir / "index.lock").exists():
        raise HalfRestoredError(into, f"{git_dir / 'index.lock'}: a git command is at work, or was killed")
    try:
        rescued = rescue_standing(git, journal, into, stamp)
        moved = take_back(git, half.folder, journal, into)
    except (GitFailedError, OSError) as error:
        raise HalfRestoredError(into, str(error)) from error
    return TakenBack(journal.reference, str(into), rescued, moved=moved)


def rescue_standing(git: Git, journal: Journal, into: Path, stamp: str) -> str | None:
    """Keep what stands there now, ignored files that the restore writes too; HalfRestoredError if not."""
    asked = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
    ignored = set(git.run(*asked, at=into).records)
    named = sorted(ignored & {before.path for before in journal.tree})
    try:
        kept = rescue(git, into, HALF, named=named, stamp=stamp)
    except RescueIncompleteError as error:
        if error.whole:
            return error.reference
        raise HalfRestoredError(into, str(error)) from error
    return kept.reference if kept else None
