"""Bring a rescue back into a worktree of the user's choice: files, index, operation in progress.

1. The worktree must be clean and stand at the commit that the rescued one stood at (``detach=True`` puts it
   there), and nothing untracked or ignored may be where a file has to go: else refused, nothing changed.
2. Files: deletions first, then every kept file anew, as the bytes that were on disk; no filter runs.
   Then repositories that were inside, git folders included, as they were.
3. Index: built aside from the worktree's own, put in place under ``index.lock`` in one rename.
4. The files of a merge, rebase or the like.

The snapshot stays referenced, so a restore that was cut short is done again after the worktree was reset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import GitFailedError, RestoreRefusedError
from worktrees.listing import GITLINK, read_listing
from worktrees.objects import Objects
from worktrees.replacement import Replacement, in_the_way, put_files
from worktrees.restoreaside import aside_in_the_way, put_aside, put_worktrees, require_room
from worktrees.restoreindex import restore_index, restore_operation
from worktrees.scratch import ScratchIndex, scratch_folder
from worktrees.snapshot import tree_entries
from worktrees.snapshots import Snapshot, open_snapshot
from worktrees.state import Condition, operation_in, own_git_dir, status

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from worktrees.git import Git

_NEEDS_DETACHED: Final = (Condition.REBASING, Condition.APPLYING, Condition.BISECTING)


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was brought back: paths written and deleted, and the operation that is in progress again.

    ``branch`` is the reference that the rescued worktree was on (None: detached); it is not checked out
    here. ``submodules`` have a changed commit, which the user checks out there. ``nested`` are the
    repositories inside that were brought back, git folders included, ``lost`` what the rescue never had.
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


def restore(git: Git, reference: str, into: Path, *, detach: bool = False) -> RestoreReport:
    """Bring the rescue ``reference`` back into the worktree ``into``; see the module's text.

    Raises :class:`RestoreRefusedError` (nothing changed), :class:`UnknownRescueError`,
    :class:`NotARepositoryError`, :class:`OSError`, :class:`GitFailedError`.
    """
    snapshot = open_snapshot(git, reference)
    into = into.resolve()
    git_dir = own_git_dir(git, into)
    with scratch_folder(git) as scratch:
        _require_clean(git, into, git_dir, scratch)
        must_move = _must_move(git, into, snapshot, detach=detach)
        plan, submodules = _replacement(git, snapshot)
        listed = [line.split("\t", 1) for line in git.run("ls-files", "-s", "-z", at=into).records]
        tracked = frozenset(path for _, path in listed)
        links = [path for entry, path in listed if entry.startswith(GITLINK)]
        obstacles, replaced = aside_in_the_way(git, into, snapshot.aside, tracked, links)
        if paths := (*in_the_way(into, plan, tracked), *obstacles):
            raise RestoreRefusedError(into, f"{paths[0]} is in the way", paths, snapshot.notes.base)
        require_room(into, snapshot.aside)
        if must_move:
            _detach(git, into, snapshot)
        put_files(Objects(git.repository), into, plan)
        put_aside(git, into, snapshot.aside, replaced)
        restore_index(git, into, git_dir, snapshot, scratch)
        restore_operation(git, into, git_dir, snapshot)
    put_worktrees(git, into, snapshot.aside, lambda commit, folder: restore(git, commit, folder))
    return RestoreReport(
        reference=reference,
        commit=snapshot.commit,
        base=snapshot.notes.base,
        branch=snapshot.notes.head,
        written=tuple(file.path for file in plan.files),
        deleted=plan.deleted,
        operation=snapshot.notes.operation,
        submodules=tuple(path for path in submodules if path not in snapshot.notes.nested),
        nested=tuple(snapshot.notes.nested),
        lost=tuple(f"{path}: {reason}" for path, reason in snapshot.notes.lost.items()),
    )


def _require_clean(git: Git, into: Path, git_dir: Path, scratch: Path) -> None:
    if operation := operation_in(git_dir):
        raise RestoreRefusedError(into, f"it is in the middle of something ({operation})")
    if (git_dir / "index.lock").exists():
        raise RestoreRefusedError(into, "another git process is at work in it")
    index = ScratchIndex.copy(git, into, git_dir / "index", scratch / "before")
    index.unhide(read_listing(git, into, index.path))
    if paths := [change.path for change in status(git, into, index.path)]:
        raise RestoreRefusedError(into, f"it has uncommitted work, {paths[0]} for one", paths)


def _must_move(git: Git, into: Path, snapshot: Snapshot, *, detach: bool) -> bool:
    """Whether HEAD must be detached at the base first; refused unless that is allowed."""
    base = snapshot.notes.base
    head = git.run("rev-parse", "-q", "--verify", "HEAD", at=into, ok=(0, 1)).text or None
    if head != base and (base is None or not detach):
        reason = f"it stands at {(head or 'no commit')[:12]}, the work at {(base or 'no commit')[:12]}"
        raise RestoreRefusedError(into, reason, base=base)
    on_branch = git.run("symbolic-ref", "-q", "HEAD", at=into, ok=(0, 1)).status == 0
    operation = snapshot.notes.operation
    if on_branch and operation in _NEEDS_DETACHED and not detach:
        # Going on with it would move the branch that is checked out here.
        reason = f"the work is in the middle of something ({operation}) that needs a detached HEAD"
        raise RestoreRefusedError(into, reason, base=base)
    return head != base or (on_branch and operation in _NEEDS_DETACHED)


def _detach(git: Git, into: Path, snapshot: Snapshot) -> None:
    assert snapshot.notes.base is not None
    # Without --no-overwrite-ignore git writes over ignored files without a word.
    words = ("checkout", "-q", "--no-overwrite-ignore", "--detach", snapshot.notes.base)
    try:
        with step("restore.detach"):
            git.run(*words, at=into, writes=True)
    except GitFailedError as error:
        raise RestoreRefusedError(into, str(error), base=snapshot.notes.base) from error


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
