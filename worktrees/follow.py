"""Bring the user's checkout of the target along when a landing moves it (``checkout: follow``).

Around the reference transaction (numbers as in ``docs/queue.md``):

1. the checkout is locked (``followlock.py``), with a mark that says for which landing
2. the update is tried on a copy of the index; the user's work in the way raises CheckoutInTheWayError
5. after the transaction the copy is updated for real, files too, and renamed into place

Promise: files that the landing changes and the user did not are updated, nothing else is. Whoever finds a
mark whose maker is gone finishes the update if the landing was made, and else takes the mark away. Not
promised: an edit made in the milliseconds between 2 and 5 is kept, but shown against the new content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.effects import step, sync_files
from worktrees.bypath import bring_along, in_the_way, unwritable
from worktrees.changedpaths import changed_between
from worktrees.checkout import is_attached, require_quiet
from worktrees.errors import CheckoutInTheWayError, CheckoutLockedError, GitFailedError
from worktrees.followlock import BUSY, FollowLock, Mark, read_mark, take_over
from worktrees.occupied import replaced_submodules
from worktrees.subfollow import bring_submodules

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.checkout import Checkout
    from worktrees.git import Git

_SHOWN: Final = 5


class Follow:
    """A checkout that is locked by us, ready to be brought from the old commit of the target to the new."""

    def __init__(self, git: Git, top: Path, lock: FollowLock, mark: Mark) -> None:
        self._git = git
        self._lock = lock
        self.mark = mark
        self._copy: Path | None = None
        self.top = top

    @property
    def git_dir(self) -> Path:
        """The checkout's git folder, as intents store it."""
        return self._lock.git_dir

    def apply(self) -> tuple[str, ...]:
        """Step 5: update files and index, and unlock. Returns paths that the user changed meanwhile.

        Idempotent, from whatever point a dead worker left it at. An error leaves the checkout locked: its
        index does not fit its branch, and a commit made there would undo the landing. ``planctl sync``, or
        the next worker, tries again.
        """
        git, lock, old, new = self._git, self._lock, self.mark.old, self.mark.new
        try:
            if not is_attached(self.git_dir, self.mark.reference):
                lock.unmark()  # switched by somebody who had locked the index before us
                return ()
            # that of step 2: only we can change the index, and read-tree sees files that changed since
            copy, self._copy = self._copy or self._refreshed_copy(), None
            kept: tuple[str, ...] = ()
            if not self._read_tree(copy):
                copy = lock.copy_of_index()
                with step("checkout.bypath"):
                    kept = bring_along(git, self.top, copy, (old, new), lock.descriptors)
            left = bring_submodules(git, self.top, changed_between(git, old, new))
            sync_files(copy)  # after a power cut the user's index is the old one or the new, never empty
            with step("checkout.index"):
                copy.replace(lock.git_dir / "index")
            lock.unmark()
            return tuple(sorted({*kept, *left}))
        finally:
            lock.release()

    def _read_tree(self, copy: Path) -> bool:
        """Update index and files at once; False after a crash half-way, or an edit since step 2."""
        old, new = self.mark.old, self.mark.new
        if replaced_submodules(self.top, changed_between(self._git, old, new)):
            return False  # git would remove it, whatever is in it
        try:
            with step("checkout.update"):
                self._run(copy, "read-tree", "-m", "-u", old, new)
        except GitFailedError:
            return False
        return True

    def try_out(self) -> None:
        """Step 2: raise CheckoutInTheWayError with the paths when the user's work is in the way."""
        old, new = self.mark.old, self.mark.new
        copy = self._copy = self._refreshed_copy()
        blocked = in_the_way(self._git, self.top, copy, old, new)
        if blocked:
            raise CheckoutInTheWayError(self.top, blocked, f"your changes are in the way: {_listed(blocked)}")
        closed = unwritable(self._git, self.top, old, new)
        if closed:
            raise CheckoutInTheWayError(self.top, closed, f"these cannot be written: {_listed(closed)}")
        with step("checkout.try"):
            self._run(copy, "read-tree", "-n", "-m", "-u", old, new)

    def leave(self) -> None:
        """Leave it locked as it is, to whoever goes on with it."""
        self._lock.release()

    def abandon(self) -> None:
        """Unlock without a change; harmless after :meth:`apply`."""
        if self._lock.is_held:
            try:
                self._lock.unmark()
                if self._copy is not None:
                    with step("checkout.tried"):
                        self._copy.unlink(missing_ok=True)
            finally:
                self._lock.release()

    def _refreshed_copy(self) -> Path:
        copy = self._lock.copy_of_index()
        _refresh(self._git, self.top, self._lock, copy)
        return copy

    def _run(self, index: Path, *arguments: str) -> None:
        extra, lock = {"GIT_INDEX_FILE": str(index)}, self._lock
        self._git.run(*arguments, at=self.top, extra=extra, writes=True, descriptors=lock.descriptors)


def _refresh(git: Git, top: Path, lock: FollowLock, copy: Path) -> None:
    """Have git look at all files for a copy of the index."""
    extra = {"GIT_INDEX_FILE": str(copy)}
    look = ("update-index", "-q", "--refresh")
    with step("checkout.refresh"):
        git.run(*look, at=top, extra=extra, ok=(), writes=True, descriptors=lock.descriptors)
    lock.keep_time(copy)


def _listed(paths: tuple[str, ...]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def prepare_follow(git: Git, checkout: Checkout, mark: Mark) -> Follow:
    """Steps 1 and 2. Raises CheckoutInTheWayError with the paths; then nothing is locked.

    A :class:`CheckoutLockedError` among them: git is at work there this very moment. Raises GitFailedError
    where a git of planctl's own was killed at it, which says nothing of the checkout.
    A checkout that git cannot read (a damaged index, a folder that may not be written) is in the way, with
    git's words.
    """
    require_quiet(checkout)
    try:
        return _locked_and_tried(git, checkout, mark)
    except (GitFailedError, OSError) as error:
        if isinstance(error, GitFailedError) and error.was_killed:
            raise
        raise CheckoutInTheWayError(checkout.top, (), str(error)) from error


def _locked_and_tried(git: Git, checkout: Checkout, mark: Mark) -> Follow:
    lock = take_over(git.repository, checkout.git_dir)
    if lock is None:
        raise CheckoutLockedError(checkout.top, BUSY)
    try:
        lock.mark(mark)
    except BaseException:
        try:
            if read_mark(checkout.git_dir) == mark:  # locked, and then something failed
                lock.unmark()
        finally:
            lock.release()
        raise
    follow = Follow(git, checkout.top, lock, mark)
    try:
        _require_still_there(checkout, mark.reference)
        follow.try_out()
        _require_still_there(checkout, mark.reference)  # a `git switch` writes HEAD after its index
    except BaseException:
        follow.abandon()
        raise
    return follow


def _require_still_there(checkout: Checkout, reference: str) -> None:
    if not is_attached(checkout.git_dir, reference):
        raise CheckoutLockedError(checkout.top, "it was switched to another branch this moment")


def obstacles(git: Git, worktree: tuple[Path, Path], old: str, new: str) -> tuple[str, ...]:
    """Paths in a worktree (its git folder, its top) that would be in the way from ``old`` to ``new``.

    Nothing is locked or changed. Raises :class:`CheckoutLockedError` while a planctl brings it along.
    """
    git_dir, top = worktree
    lock = take_over(git.repository, git_dir)
    if lock is None:
        raise CheckoutLockedError(top, BUSY)
    copy = lock.copy_of_index()
    try:
        _refresh(git, top, lock, copy)
        return in_the_way(git, top, copy, old, new)
    finally:
        with step("checkout.tried"):
            copy.unlink(missing_ok=True)
        lock.release()
