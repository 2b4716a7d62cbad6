"""The user's checkouts of the target: found, and brought along when a landing moves it.

A reference that moves under a checkout leaves the reverse of the landing staged there: the user's next
commit would undo it. So, around the reference transaction (numbers as in ``docs/queue.md``):

1. ``index.lock`` is created exclusively, with a mark in it that says whose it is
2. the update is tried on a copy of the index; the user's work in the way raises CheckoutInTheWayError
5. after the transaction the copy is updated for real, files too, and renamed into place

Promise: files that the landing changes and the user did not are updated, nothing else is. Not promised:
an edit made in the milliseconds between 2 and 5 is kept, but shown against the new content.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import CheckoutInTheWayError, GitFailedError
from worktrees.follow import bring_along, in_the_way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worktrees.git import Git

MARK: Final = b"planctl follow "
_IN_PROGRESS: Final = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


class How(StrEnum):
    """In which way a checkout names the target."""

    ATTACHED = "attached"
    REBASING = "rebasing"
    BISECTING = "bisecting"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A worktree of the user's that names a branch: its git folder and its top folder."""

    git_dir: Path
    top: Path
    how: How


def checkouts_of(git: Git, reference: str) -> tuple[Checkout, ...]:
    """Return every checkout of ``reference``; one whose folder is gone does not count."""
    found = []
    for git_dir, top in _worktrees(git):
        how = _names(git_dir, reference)
        if how is not None and top.is_dir():
            found.append(Checkout(git_dir, top, how))
    return tuple(found)


def _worktrees(git: Git) -> Iterator[tuple[Path, Path]]:
    repository = git.repository
    primary = repository.primary_top
    if primary is not None and _text(repository.common_dir / "HEAD") and not _is_bare(git):
        yield repository.common_dir, primary
    for pointer in sorted(repository.common_dir.glob("worktrees/*/gitdir")):
        yield pointer.parent, Path(os.path.normpath(pointer.parent / _text(pointer))).parent


def _is_bare(git: Git) -> bool:
    return git.run("config", "--type=bool", "--get", "core.bare", ok=(0, 1)).text == "true"


def _names(git_dir: Path, reference: str) -> How | None:
    if _text(git_dir / "HEAD") == f"ref: {reference}":
        return How.ATTACHED
    for folder in ("rebase-merge", "rebase-apply"):
        if _text(git_dir / folder / "head-name") == reference:
            return How.REBASING
    if reference.removeprefix("refs/heads/") == _text(git_dir / "BISECT_START"):
        return How.BISECTING
    return None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape").rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""


class Follow:
    """A checkout whose index is locked by us, ready to be brought from ``old`` to ``new``."""

    def __init__(self, git: Git, checkout: Checkout, old: str, new: str) -> None:
        self._git = git
        self._checkout = checkout
        self._old = old
        self._new = new
        self._held = True

    @property
    def git_dir(self) -> Path:
        """The checkout's git folder, as intents store it."""
        return self._checkout.git_dir

    def apply(self) -> tuple[str, ...]:
        """Step 5: update files and index, and unlock. Returns paths that the user changed meanwhile."""
        self._held = False
        return finish_follow(self._git, self.git_dir, self._old, self._new)

    def abandon(self) -> None:
        """Unlock without a change; harmless after :meth:`apply`."""
        if self._held:
            self._held = False
            abandon_follow(self.git_dir)


def prepare_follow(git: Git, checkout: Checkout, old: str, new: str) -> Follow:
    """Steps 1 and 2. Raises CheckoutInTheWayError with the paths; then nothing is locked."""
    _require_quiet(checkout)
    lock = checkout.git_dir / "index.lock"
    try:
        with step("checkout.lock"):
            descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError as error:
        raise CheckoutInTheWayError(checkout.top, (), "its index is locked: git is at work there") from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(MARK + f"{old} {new}\n".encode())
    try:
        _try(git, checkout, old, new)
    except BaseException:
        abandon_follow(checkout.git_dir)
        raise
    return Follow(git, checkout, old, new)


def _require_quiet(checkout: Checkout) -> None:
    if checkout.how is not How.ATTACHED:
        raise CheckoutInTheWayError(checkout.top, (), f"it is {checkout.how} the target")
    for name in _IN_PROGRESS:
        if (checkout.git_dir / name).exists():
            operation = name.removesuffix("_HEAD").lower().replace("_", "-")
            raise CheckoutInTheWayError(checkout.top, (), f"a {operation} is in progress there")


def _try(git: Git, checkout: Checkout, old: str, new: str) -> None:
    copy = _copy_of_index(checkout.git_dir)
    try:
        extra = {"GIT_INDEX_FILE": str(copy)}
        git.run("update-index", "-q", "--refresh", at=checkout.top, extra=extra, ok=(), writes=True)
        blocked = in_the_way(git, checkout.top, copy, old, new)
        if blocked:
            shown = ", ".join(blocked[:5]) + (f" and {len(blocked) - 5} more" if len(blocked) > 5 else "")  # noqa: PLR2004 - as many as a line holds
            raise CheckoutInTheWayError(checkout.top, blocked, f"your changes are in the way: {shown}")
        git.run("read-tree", "-n", "-m", "-u", old, new, at=checkout.top, extra=extra, writes=True)
    except GitFailedError as error:
        raise CheckoutInTheWayError(checkout.top, (), str(error)) from error
    finally:
        copy.unlink(missing_ok=True)


def _copy_of_index(git_dir: Path) -> Path:
    copy = git_dir / "planctl-index"
    index = git_dir / "index"
    copy.unlink(missing_ok=True)
    if index.exists():
        shutil.copy2(index, copy)
    return copy


def finish_follow(git: Git, git_dir: Path, old: str, new: str) -> tuple[str, ...]:
    """Step 5, also for whoever recovers a landing: idempotent, from whatever point it was left at.

    Does nothing when the lock with our mark is gone: then it was finished, or is not ours to finish.
    Returns the paths that hold neither the old nor the new content: the user's, left as they are.
    """
    top = _top_of(git, git_dir)
    if not _is_ours(git_dir) or top is None:
        return ()
    copy = _copy_of_index(git_dir)
    extra = {"GIT_INDEX_FILE": str(copy)}
    git.run("update-index", "-q", "--refresh", at=top, extra=extra, ok=(), writes=True)
    kept: tuple[str, ...] = ()
    try:
        with step("checkout.update"):
            git.run("read-tree", "-m", "-u", old, new, at=top, extra=extra, writes=True)
    except GitFailedError:  # a crash half-way, or an edit since step 2: path by path
        shutil.copy2(git_dir / "index", copy)
        kept = bring_along(git, top, copy, old, new)
    if _is_ours(git_dir):
        with step("checkout.index"):
            copy.replace(git_dir / "index")
    abandon_follow(git_dir)
    return kept


def abandon_follow(git_dir: Path) -> None:
    """Remove our own index lock, and only ours."""
    if _is_ours(git_dir):
        with step("checkout.unlock"):
            (git_dir / "index.lock").unlink(missing_ok=True)
    (git_dir / "planctl-index").unlink(missing_ok=True)


def _is_ours(git_dir: Path) -> bool:
    try:
        return (git_dir / "index.lock").read_bytes().startswith(MARK)
    except FileNotFoundError:
        return False


def _top_of(git: Git, git_dir: Path) -> Path | None:
    return next((top for folder, top in _worktrees(git) if folder == git_dir), None)


def detach_checkout(git: Git, checkout: Checkout, commit: str) -> None:
    """Detach a checkout's HEAD where it stands (``checkout: detach``); files and index stay.

    Raises CheckoutInTheWayError for one in the middle of a rebase or bisect.
    """
    _require_quiet(checkout)
    with step("checkout.detach"):
        git.run(
            "update-ref", "--no-deref", "-m", "planctl: detach", "HEAD", commit, at=checkout.top, writes=True
        )
