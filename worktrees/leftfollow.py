"""Checkouts that somebody who is gone had begun to bring along: found by their marks, and finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.bypath import staged_against
from worktrees.changedpaths import changed_between
from worktrees.checkout import is_attached, top_of, worktrees_of
from worktrees.errors import CheckoutLockedError, GitFailedError
from worktrees.follow import Follow
from worktrees.followlock import read_mark, take_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from worktrees.followlock import Mark
    from worktrees.git import Git


_NEITHER: Final = "what is staged there is neither the landing nor what was there before it"


@dataclass(frozen=True, slots=True)
class Finished:
    """A checkout that a dead worker had begun to bring along; ``kept`` are paths left as the user's.

    ``failure`` is git's word where it could not be finished: the checkout stays locked.
    """

    top: Path
    kept: tuple[str, ...] = ()
    failure: str = ""


def recover_follows(git: Git, reference: str, has_landed: Callable[[str], bool]) -> tuple[Finished, ...]:
    """Finish or take away what dead workers left in checkouts of ``reference``.

    ``has_landed`` says of a commit whether it is on the target now. Returns the checkouts that were to be
    finished. Those that a living process holds are left alone.
    """
    done = []
    for follow in _left(git, reference):
        if follow.top.is_dir() and is_attached(follow.git_dir, reference) and has_landed(follow.mark.new):
            done.append(_finished(follow))
        else:
            follow.abandon()
    return tuple(done)


def finish_unmarked(git: Git, git_dir: Path, mark: Mark) -> Finished | None:
    """Finish a checkout that was to follow a landing, from which somebody took lock and mark away.

    git itself advises to remove its ``index.lock`` after a crash; what is then staged there is the reverse of
    the landing. None where nothing is to be done: it is there already, or not on the target any more, or in
    somebody's hands. What the user has staged since is left as it is, and the rest with it.
    """
    top = top_of(git, git_dir)
    if top is None or read_mark(git_dir) is not None or not is_attached(git_dir, mark.reference):
        return None
    paths = {change.path for change in changed_between(git, mark.old, mark.new)}
    missing = paths & staged_against(git, top, mark.new)
    if not missing:
        return None
    own = missing & staged_against(git, top, mark.old)
    if own:
        return Finished(top, tuple(sorted(own)), _NEITHER)
    lock = take_over(git.repository, git_dir)
    if lock is None:
        return None
    try:
        lock.mark(mark)
    except BaseException as error:
        lock.release()
        if isinstance(error, CheckoutLockedError):
            return Finished(top, failure=str(error))
        raise
    return _finished(Follow(git, top, lock, mark))


def left_behind(git: Git, reference: str) -> tuple[Path, ...]:
    """The checkouts of ``reference`` that somebody who is gone left locked; nothing is changed."""
    tops = []
    for follow in _left(git, reference):
        follow.leave()
        tops.append(follow.top)
    return tuple(tops)


def _left(git: Git, reference: str) -> Iterator[Follow]:
    """Marked checkouts whose maker is gone, each under its kernel's lock, which the caller releases."""
    for git_dir, top in worktrees_of(git):
        mark = read_mark(git_dir)
        if mark is None or mark.reference != reference:
            continue
        lock = take_over(git.repository, git_dir)
        if lock is None:
            continue
        # its maker may have finished meanwhile; doing it again is harmless
        yield Follow(git, top, lock, read_mark(git_dir) or mark)


def _finished(follow: Follow) -> Finished:
    try:
        return Finished(follow.top, follow.apply())
    except (GitFailedError, OSError) as error:
        return Finished(follow.top, failure=str(error))
