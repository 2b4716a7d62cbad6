"""The careful look before a restore: may it be done, and what would it do? Nothing is changed by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from plans.onchange import OnChange
from worktrees.collision import Collision, Decision, collide, decide
from worktrees.listing import GITLINK, read_listing
from worktrees.replacement import in_the_way
from worktrees.rescuedwork import Work, work_of
from worktrees.restoreaside import aside_in_the_way, require_room
from worktrees.restoreerrors import HalfRestoredError, RestoreRefusedError
from worktrees.restorejournal import read_journal
from worktrees.restoretarget import Target, Touching
from worktrees.scratch import ScratchIndex
from worktrees.snapshots import tree_changes
from worktrees.state import Condition, operation_in, status

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from worktrees.snapshots import Snapshot

_NEEDS_DETACHED: Final = (Condition.REBASING, Condition.APPLYING, Condition.BISECTING)


@dataclass(frozen=True, slots=True)
class Wish:
    """How the user wants it: what happens to work in the target, and whether HEAD may be detached there."""

    on_change: OnChange = OnChange.ABORT
    detach: bool = False


@dataclass(frozen=True, slots=True)
class Intention:
    """A restore that may be done.

    ``met`` are paths of the target with work in them that the rescue meets, ``ignored`` those that git
    does not report; ``is_dirty``: there is work in the target at all. ``moved`` are paths that a checkout
    writes first, ``replaced`` submodules that hold nothing of their own.
    """

    target: Target
    snapshot: Snapshot
    work: Work
    decision: Decision
    touching: Touching
    met: frozenset[str]
    ignored: tuple[str, ...]
    is_dirty: bool
    head: str | None
    must_move: bool
    moved: tuple[str, ...]
    replaced: tuple[str, ...]


def look(target: Target, snapshot: Snapshot, wish: Wish, scratch: Path) -> Intention:
    """Look at the target. Raises :class:`RestoreRefusedError`, :class:`HalfRestoredError`."""
    git, into = target.git, target.into
    _require_idle(target)
    work = work_of(git, snapshot)
    touching = Touching(target)
    touching.look([*work.paths, *work.aside])  # before git looks: what changes from here on is noticed
    changed = _changes(target, scratch)
    if changed and wish.on_change is OnChange.ABORT:
        reason = f"it has uncommitted work, {changed[0]} for one"
        raise RestoreRefusedError(into, reason, changed, has_choice=True)
    head = git.run("rev-parse", "-q", "--verify", "HEAD", at=into, ok=(0, 1)).text or None
    must_move = _must_move(target, snapshot, head, detach=wish.detach)
    if changed and head != snapshot.notes.base:
        reason = f"it stands at another commit and has uncommitted work, {changed[0]} for one"
        raise RestoreRefusedError(into, reason, changed, snapshot.notes.base)
    ignored, replaced = _obstacles(target, snapshot, work, changed, wish)
    collision = collide(work.paths, {*(path.rstrip("/") for path in changed), *ignored})
    _require_possible(target, snapshot, collision, changed, wish)
    touching.look(collision.met)
    touching.give_up(replaced)
    base = snapshot.notes.base
    moved = tree_changes(git, head, base) if head and base and head != base else ()
    return Intention(
        target=target,
        snapshot=snapshot,
        work=work,
        decision=decide(work.files, collision, wish.on_change),
        touching=touching,
        met=collision.met,
        ignored=ignored,
        is_dirty=bool(changed or ignored),
        head=head,
        must_move=must_move,
        moved=tuple(change.path for change in moved),
        replaced=replaced,
    )


def _require_idle(target: Target) -> None:
    if read_journal(target.folder) is not None:
        raise HalfRestoredError(target.into, "`planctl doctor --fix` takes it back")
    if operation := operation_in(target.git_dir):
        raise RestoreRefusedError(target.into, f"it is in the middle of something ({operation})")
    if (target.git_dir / "index.lock").exists():
        raise RestoreRefusedError(target.into, "another git process is at work in it")


def _changes(target: Target, scratch: Path) -> tuple[str, ...]:
    index = ScratchIndex.copy(target.git, target.into, target.git_dir / "index", scratch / "before")
    index.unhide(read_listing(target.git, target.into, index.path))
    return tuple(change.path for change in status(target.git, target.into, index.path))


def _must_move(target: Target, snapshot: Snapshot, head: str | None, *, detach: bool) -> bool:
    """Whether HEAD must be detached at the base first; refused unless that is allowed."""
    base, into = snapshot.notes.base, target.into
    if head != base and (base is None or not detach):
        reason = f"it stands at {(head or 'no commit')[:12]}, the work at {(base or 'no commit')[:12]}"
        raise RestoreRefusedError(into, reason, base=base)
    on_branch = target.git.run("symbolic-ref", "-q", "HEAD", at=into, ok=(0, 1)).status == 0
    operation = snapshot.notes.operation
    if on_branch and operation in _NEEDS_DETACHED and not detach:
        # Going on with it would move the branch that is checked out here.
        reason = f"the work is in the middle of something ({operation}) that needs a detached HEAD"
        raise RestoreRefusedError(into, reason, base=base)
    return head != base or (on_branch and operation in _NEEDS_DETACHED)


def _obstacles(
    target: Target, snapshot: Snapshot, work: Work, changed: Collection[str], wish: Wish
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files in the way that git does not report, and the submodules that may be replaced."""
    git, into = target.git, target.into
    listed = [line.split("\t", 1) for line in git.run("ls-files", "-s", "-z", at=into).records]
    tracked = frozenset(path for _, path in listed)
    links = [path for entry, path in listed if entry.startswith(GITLINK)]
    aside, replaced = aside_in_the_way(git, into, snapshot.aside, tracked, links)
    aside += tuple(sorted(collide(work.aside, set(changed)).met))
    ignored = tuple(path for path in in_the_way(into, work.files, tracked) if path not in changed)
    refused = (*(ignored if wish.on_change is OnChange.ABORT else ()), *aside)
    if refused:
        reason, has_choice = f"{refused[0]} is in the way", not aside
        raise RestoreRefusedError(into, reason, refused, snapshot.notes.base, has_choice=has_choice)
    require_room(into, snapshot.aside)
    return ignored, replaced


def _require_possible(
    target: Target, snapshot: Snapshot, collision: Collision, changed: Collection[str], wish: Wish
) -> None:
    """Whole repositories are never written over; an unmerged path is not skipped, it would look settled."""
    inside = sorted(p for p in collision.met if f"{p}/" in changed or ".git" in PurePosixPath(p).parts)
    if inside:
        reason = f"{inside[0]} is in the way, a repository of its own"
        raise RestoreRefusedError(target.into, reason, inside, snapshot.notes.base)
    unmerged = sorted({path for _, path in snapshot.stages} & collision.meeting)
    if unmerged and wish.on_change is OnChange.SKIP:
        reason = f"{unmerged[0]} is unmerged in the rescue, and cannot be skipped"
        raise RestoreRefusedError(target.into, reason, unmerged, snapshot.notes.base)
