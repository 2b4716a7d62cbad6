"""Bring a rescue back into a worktree of the user's choice: files, index, operation in progress.

1. Look: the worktree must stand at the commit that the rescued one stood at (``detach`` puts it there) and be
   in the middle of nothing. What has work in it there is decided on by :class:`OnChange`: abort (anything
   uncommitted), overwrite, skip. Refused, nothing has changed.
2. Overwriting, the target's own work is rescued first.
3. The journal (restorejournal.py) tells how everything was, before anything is written.
4. Files: deletions first, then every kept file anew, as the bytes that were on disk; no filter runs.
   Then repositories that were inside, git folders included, as they were. Each path is looked at once more.
5. Index: built aside from the worktree's own, put in place under ``index.lock`` in one rename.
6. The files of a merge, rebase or the like; all is synced; the journal goes.

Promise: all of it or nothing. A failure takes everything back at once, after a kill halfway.py does.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from plans.effects import step
from plans.onchange import OnChange
from worktrees.errors import GitFailedError, ReferenceMovedError, RescueIncompleteError
from worktrees.followlock import BUSY, following
from worktrees.halfway import rescue_standing
from worktrees.objects import Objects
from worktrees.replacement import put_files
from worktrees.rescue import rescue
from worktrees.restoreaside import put_aside, put_worktrees
from worktrees.restoreerrors import HalfRestoredError, RestoreRefusedError, RestoreTakenBackError
from worktrees.restorehead import head_text, sign_of, why_not
from worktrees.restoreindex import operation_paths, restore_index, restore_operation
from worktrees.restorejournal import Journal, begin, close, release_index, restoring, sweep, take_back
from worktrees.restorelook import Intention, Wish, look
from worktrees.restoresync import sync_restored
from worktrees.restoretarget import Target
from worktrees.scratch import scratch_folder
from worktrees.snapshots import open_snapshot
from worktrees.state import own_git_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from worktrees.git import Git

__all__ = ["Foreseen", "OnChange", "RestoreReport", "foresee", "restore"]
BEFORE: Final = "before-restore"
"""What the rescues of overwritten work are filed under."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was brought back: paths written and deleted, and the operation that is in progress again.

    ``branch`` is the reference that the rescued worktree was on (None: detached); it is not checked out
    here. ``submodules`` have a changed commit, which the user checks out there. ``nested`` are the
    repositories inside that were brought back, git folders included, ``lost`` what the rescue never had.
    ``overwritten`` and ``skipped`` are paths of the target with work in them; ``rescued`` keeps the first.
    """

    reference: str
    commit: str
    base: str | None
    branch: str | None
    written: tuple[str, ...]
    deleted: tuple[str, ...]
    operation: str | None
    submodules: tuple[str, ...]
    nested: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    rescued: str | None = None


@dataclass(frozen=True, slots=True)
class _Names:
    """A new ULID for each rescue of what stands in the way, and for whom the pool holds the worktree."""

    stamp: Callable[[], str]
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a restore would do, path by path; ``would_rescue``: the target's own work would be kept first."""

    reference: str
    commit: str
    would_write: tuple[str, ...]
    would_delete: tuple[str, ...]
    would_overwrite: tuple[str, ...]
    would_skip: tuple[str, ...]
    would_rescue: bool
    operation: str | None
    nested: tuple[str, ...]


def foresee(git: Git, reference: str, into: Path, wish: Wish) -> Foreseen:
    """What :func:`restore` would do; nothing is changed. Raises as that does."""
    snapshot = open_snapshot(git, reference)
    into = into.resolve()
    with scratch_folder(git) as scratch:
        found = look(Target(git, into, own_git_dir(git, into)), snapshot, wish, scratch)
    files, skips = found.decision.files, wish.on_change is OnChange.SKIP
    met = tuple(sorted(found.met))
    return Foreseen(
        reference=reference,
        commit=snapshot.commit,
        would_write=tuple(file.path for file in files.files if file.path not in found.met),
        would_delete=tuple(path for path in files.deleted if path not in found.met),
        would_overwrite=() if skips else met,
        would_skip=met if skips else (),
        would_rescue=found.is_dirty and not skips,
        operation=snapshot.notes.operation,
        nested=tuple(snapshot.notes.nested),
    )


def restore(
    git: Git,
    reference: str,
    into: Path,
    wish: Wish | None = None,
    *,
    stamp: Callable[[], str] = str,
    owner: Callable[[], str] = str,
) -> RestoreReport:
    """Bring the rescue ``reference`` back into the worktree ``into``; see the module's text.

    ``stamp`` names each rescue of what stands there, a new ULID at every call; ``owner`` says for whom the
    pool holds the worktree, so that it is not taken back from the next one; asked once the pool can take
    nothing back.

    Raises :class:`RestoreRefusedError` (nothing changed), :class:`ChangedMeanwhileError`, :class:`OSError`,
    :class:`GitFailedError` and :class:`RestoreTakenBackError` (taken back), :class:`HalfRestoredError` (one
    was cut short), :class:`UnknownRescueError`, :class:`NotARepositoryError`.
    """
    with restoring(git.repository) as held:
        into = into.resolve()
        target = Target(git, into, own_git_dir(git, into), held)
        return _restore(target, reference, wish or Wish(), _Names(stamp, owner()))


def _restore(target: Target, reference: str, wish: Wish, names: _Names) -> RestoreReport:
    with following(target.git.repository, target.git_dir) as lock:
        if lock is None:
            raise RestoreRefusedError(target.into, BUSY)
        return _restore_alone(replace(target, held=(*target.held, *lock.descriptors)), reference, wish, names)


def _restore_alone(target: Target, reference: str, wish: Wish, names: _Names) -> RestoreReport:
    snapshot = open_snapshot(target.git, reference)
    with scratch_folder(target.git) as scratch:
        found = look(target, snapshot, wish, scratch)
        overwrites = wish.on_change is OnChange.OVERWRITE
        rescued = _keep(found, names.stamp()) if overwrites and found.is_dirty else None
        _carry_out(found, scratch, names)
    notes, met = snapshot.notes, tuple(sorted(found.met))
    return RestoreReport(
        reference=reference,
        commit=snapshot.commit,
        base=notes.base,
        branch=notes.head,
        written=tuple(file.path for file in found.decision.files.files),
        deleted=found.decision.files.deleted,
        operation=notes.operation,
        submodules=tuple(
            path for path in found.work.submodules if path not in {*notes.nested, *found.decision.left}
        ),
        nested=tuple(notes.nested),
        lost=tuple(f"{path}: {reason}" for path, reason in notes.lost.items()),
        overwritten=met if overwrites else (),
        skipped=() if overwrites else met,
        rescued=rescued,
    )


def _keep(found: Intention, stamp: str) -> str | None:
    """Rescue the target as it is, ignored files that are in the way too."""
    target = found.target
    try:
        kept = rescue(target.git, target.into, BEFORE, named=found.ignored, stamp=stamp)
    except RescueIncompleteError as error:
        if error.whole:
            return error.reference
        reason = f"what is in it cannot be kept whole ({error.reason})"
        raise RestoreRefusedError(target.into, reason, base=found.snapshot.notes.base) from error
    return kept.reference if kept else None


def _carry_out(found: Intention, scratch: Path, names: _Names) -> None:
    target, snapshot, touch = found.target, found.snapshot, found.touching
    journal = _begin(found, names.owner)
    try:
        if found.must_move:
            _detach(found)
        put_files(Objects(target.git.repository), target.into, found.decision.files, touch)
        put_aside(target, snapshot.aside, found.replaced, touch)
        restore_index(target, snapshot, scratch, found.decision)
        restore_operation(target, snapshot)
        put_worktrees(target, snapshot.aside, touch, partial(_fill, target, names.stamp))
        sync_restored(found)
        close(target.folder)
    except BaseException as error:
        _take_back(found, journal, names.stamp, error)
        raise
    with contextlib.suppress(OSError):  # all is whole; doctor sweeps what is left
        sweep(target.folder)


def _take_back(found: Intention, journal: Journal, stamp: Callable[[], str], error: BaseException) -> None:
    """At once. What somebody changed that was written already is rescued first, as after a kill."""
    target, touch = found.target, found.touching
    git, into = target.git, target.into
    if reason := why_not(git, journal, into):
        raise HalfRestoredError(into, reason) from error
    release_index(target.git_dir, target.folder)
    # the signs are those of the outer files: of an inner worktree that is there it cannot be told who wrote
    is_touched = bool(touch.edited()) or any((into / path).exists() for path in journal.inner)
    try:
        rescued = rescue_standing(git, journal, into, stamp()) if is_touched else None
        moved = take_back(git, target.folder, journal, into, touch.paths)
    except (GitFailedError, OSError, ReferenceMovedError) as failed:
        raise HalfRestoredError(into, f"{error}; then {failed}") from error
    if (rescued or moved) and isinstance(error, Exception):
        raise RestoreTakenBackError(into, str(error), rescued, moved) from error


def _fill(outer: Target, stamp: Callable[[], str], commit: str, into: Path) -> None:
    git, into = outer.git, into.resolve()
    _restore(Target(git, into, own_git_dir(git, into), outer.held), commit, Wish(), _Names(stamp))


def _begin(found: Intention, owner: str) -> Journal:
    target, snapshot = found.target, found.snapshot
    head = head_text(target.git_dir)
    journal = Journal(
        into=str(target.into),
        git_dir=str(target.git_dir),
        reference=snapshot.reference,
        commits=(found.head, snapshot.notes.base),
        head=head,
        wanted=str(snapshot.notes.base) if found.must_move else head,
        sign=sign_of(target.git_dir),
        owner=owner,
        inner=tuple(snapshot.aside.worktrees),
    )
    files = found.decision.files
    tree = [*files.deleted, *(file.path for file in files.files), *found.replaced, *found.moved]
    tree += [*(kept.path for kept in snapshot.aside.kept), *snapshot.aside.worktrees]
    try:
        return begin(target.git.repository, journal, tree, operation_paths(snapshot))
    except BaseException:
        close(target.folder)
        sweep(target.folder)
        raise


def _detach(found: Intention) -> None:
    base = found.snapshot.notes.base
    assert base is not None
    found.touching.moved(found.moved)
    # Without --no-overwrite-ignore git writes over ignored files without a word.
    words = ("checkout", "-q", "--no-overwrite-ignore", "--detach", base)
    try:
        with step("restore.detach"):
            held = found.target.held
            found.target.git.run(*words, at=found.target.into, writes=True, descriptors=held)
    except GitFailedError as error:
        raise RestoreRefusedError(found.target.into, str(error), base=base) from error
    for path in found.moved:
        found.touching.written(path)
