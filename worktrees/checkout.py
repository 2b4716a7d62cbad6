"""The user's checkouts of the target: which there are, and the two ways to take one off it and back.

A reference that moves under a checkout leaves the reverse of the landing staged there, and the user's next
commit would undo it. Files come along by ``follow.py``; ``checkout: detach`` takes the checkout off the
branch instead, and ``planctl sync`` puts it back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import CheckoutInTheWayError, GitFailedError
from worktrees.slot import registered
from worktrees.symbolic import end_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worktrees.git import Git

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
    for git_dir, top in worktrees_of(git):
        how = _names(git_dir, reference)
        if how is not None and top.is_dir():
            found.append(Checkout(git_dir, top, how))
    return tuple(found)


def worktrees_of(git: Git) -> Iterator[tuple[Path, Path]]:
    """Yield git folder and top folder of every worktree, the main one first."""
    repository = git.repository
    primary = repository.primary_top
    if primary is not None:
        yield repository.common_dir, primary
    yield from registered(repository.common_dir)


def _names(git_dir: Path, reference: str) -> How | None:
    if is_attached(git_dir, reference):
        return How.ATTACHED
    try:
        present = os.listdir(git_dir)  # noqa: PTH208 - one look instead of three: a run has dozens of worktrees
    except FileNotFoundError:  # removed this moment
        return None
    for folder in ("rebase-merge", "rebase-apply"):
        if folder in present and _text(git_dir / folder / "head-name") == reference:
            return How.REBASING
    name = reference.removeprefix("refs/heads/")
    return How.BISECTING if "BISECT_START" in present and _text(git_dir / "BISECT_START") == name else None


def is_attached(git_dir: Path, reference: str) -> bool:
    """Whether HEAD of a worktree is the branch ``reference``, by way of symbolic references too.

    A commit made on ``trunk``, a symbolic reference to ``main``, moves ``main``.
    """
    head = end_of(git_dir, "HEAD")
    return head == reference or (head != "HEAD" and head == end_of(git_dir, reference))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape").rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def require_quiet(checkout: Checkout) -> None:
    """Raise :class:`CheckoutInTheWayError` for a checkout in the middle of a merge, rebase or the like."""
    if checkout.how is not How.ATTACHED:
        raise CheckoutInTheWayError(checkout.top, (), f"it is {checkout.how} the target")
    for name in _IN_PROGRESS:
        if (checkout.git_dir / name).exists():
            operation = name.removesuffix("_HEAD").lower().replace("_", "-")
            raise CheckoutInTheWayError(checkout.top, (), f"a {operation} is in progress there")


def detach_checkout(git: Git, checkout: Checkout, commit: str) -> None:
    """Detach a checkout's HEAD where it stands, at ``commit``; files and index stay.

    Raises CheckoutInTheWayError for one in the middle of something, or that is not at ``commit`` any more.
    """
    require_quiet(checkout)
    try:
        with step("checkout.detach"):
            git.run(
                "update-ref", "--no-deref", "-m", "planctl: detach", "HEAD", commit, commit,
                at=checkout.top, writes=True,
            )  # fmt: skip
    except (GitFailedError, OSError) as error:
        raise CheckoutInTheWayError(checkout.top, (), str(error)) from error


def attach_checkout(git: Git, top: Path, branch: str) -> None:
    """Put a detached checkout on ``branch`` as the user's own ``git checkout`` would, with local edits kept.

    Raises CheckoutInTheWayError, and nothing has changed, when edits or untracked files, ignored ones too,
    are in the way.
    """
    try:
        with step("checkout.attach"):
            git.run("checkout", "-q", "--no-overwrite-ignore", branch, "--", at=top, writes=True)
    except GitFailedError as error:
        raise CheckoutInTheWayError(top, (), error.stderr.strip() or str(error)) from error


def top_of(git: Git, git_dir: Path) -> Path | None:
    """The top folder of the worktree with that git folder, None when it is gone."""
    found = next((top for folder, top in worktrees_of(git) if folder == git_dir), None)
    return found if found is not None and os.path.isdir(found) else None  # noqa: PTH112 - as cheap as it gets
