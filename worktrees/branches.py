"""The plan's branch: made by reference transaction, then attached to a slot without a second checkout.

Made after the slot is ready and not by ``worktree add -b``: a provisioning that fails leaves no branch.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, assert_never

from plans.effects import step, sync_files
from worktrees.checkout import checkouts_of
from worktrees.errors import (
    BranchClashError,
    BranchExistsError,
    BranchInUseError,
    ReferenceMovedError,
    UnknownRevisionError,
)
from worktrees.git import branch_reference
from worktrees.metadata_lock import metadata_lock
from worktrees.references import Create, Update
from worktrees.slot import run_in
from worktrees.symbolic import head_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.objects import Objects
    from worktrees.references import References
    from worktrees.slot import SlotTree


HEADS: Final = "refs/heads/"


class Ownership(StrEnum):
    """Whose a branch is that is there already, as far as the caller knows from its store."""

    OTHER = "other"
    """Somebody else's, or not known: refused."""
    ADOPTED = "adopted"
    """Somebody else's, and the user said ``--adopt``: the plan starts from it."""
    OWN = "own"
    """planctl's, of an earlier attempt of the same plan: ``resume`` goes on from it."""


def branch_commit(references: References, branch: str) -> str | None:
    """The commit of the branch, or None. Raises :class:`InvalidReferenceError`."""
    return references.read(branch_reference(branch))


def require_room(objects: Objects, branches: Collection[str]) -> None:
    """Raise :class:`BranchClashError` for a branch that git cannot hold beside those that are there.

    Git keeps branches as files in folders: ``plan`` and ``plan/a`` cannot both be.
    """
    taken = {name.removeprefix(HEADS) for name in objects.reference_names(HEADS)}
    folders = {str(folder): name for name in taken for folder in PurePosixPath(name).parents}
    for branch in branches:
        if branch not in taken:
            above = next((str(p) for p in PurePosixPath(branch).parents if str(p) in taken), None)
            other = above or folders.get(branch)
            if other:
                raise BranchClashError(branch, other)


def start_of(references: References, branch: str, base: str, ownership: Ownership) -> str:
    """The commit that a slot for the branch is to be checked out at: ``base``, or where the branch stands.

    Raises :class:`BranchExistsError` when it exists and is somebody else's.
    """
    commit = branch_commit(references, branch)
    if commit is None:
        return base
    match ownership:
        case Ownership.OTHER:
            raise BranchExistsError(branch, commit)
        case Ownership.ADOPTED | Ownership.OWN:
            return commit
        case _:
            assert_never(ownership)


def create_branch(references: References, branch: str, commit: str, ownership: Ownership) -> bool:
    """Make the branch at ``commit``; True if it was made, False if it stands there already and may be used.

    Raises :class:`BranchExistsError` when it exists and is somebody else's, and
    :class:`ReferenceMovedError` when it may be used but stands elsewhere than ``commit``.
    """
    reference = branch_reference(branch)
    try:
        references.transact([Create(reference, commit)], message="planctl: branch", step="branch.create")
    except ReferenceMovedError:
        found = references.read(reference)
        if found is None or (ownership is not Ownership.OTHER and found != commit):
            raise
        if ownership is Ownership.OTHER:
            raise BranchExistsError(branch, found) from None
        return False
    return True


def restart_branch(references: References, branch: str, old: str, new: str) -> None:
    """For a retry from a new base: move planctl's own branch from ``old``, which the caller has parked.

    Raises :class:`ReferenceMovedError` when it is not at ``old`` any more.
    """
    references.transact(
        [Update(branch_reference(branch), new, old)],
        message="planctl: retry",
        step="branch.restart",
    )


def holders(git: Git, branch: str) -> tuple[Path, ...]:
    """The worktrees that have the branch checked out, or are rebasing or bisecting it; the user's included.

    The same places that git looks at (``die_if_checked_out``); worktrees whose folder is gone do not count.
    """
    return tuple(checkout.top for checkout in checkouts_of(git, f"refs/heads/{branch}"))


def attach(git: Git, references: References, tree: SlotTree, branch: str) -> None:
    """Put the slot on the branch, which must stand at the slot's commit: no file and no index is touched.

    Raises :class:`BranchInUseError` when another worktree has the branch, :class:`ReferenceMovedError`
    when it stands elsewhere, and :class:`UnknownRevisionError` when there is no such branch.
    """
    reference = branch_reference(branch)
    with metadata_lock(git.repository) as lock:  # two slots must not take one branch at the same moment
        for worktree in holders(git, branch):
            if worktree != tree.path:
                raise BranchInUseError(branch, worktree)
        head, commit = head_of(tree.git_dir), references.read(reference)
        if commit is None:
            raise UnknownRevisionError(branch)
        if head == f"ref: {reference}":
            return
        if head != commit:
            raise ReferenceMovedError(f"{reference} is {commit[:12]}, the slot is at {head[:12]}")
        with step("branch.attach"):
            run_in(
                git, tree, "symbolic-ref", "-m", f"planctl: on {branch}", "HEAD", reference, descriptors=lock
            )  # fmt: skip
            sync_files(tree.git_dir / "HEAD")


def detach_in_place(git: Git, tree: SlotTree) -> None:
    """Take the slot off its branch, at the commit where it stands: no file and no index is touched.

    For a slot that has to be kept as it is while its branch is needed elsewhere.
    """
    if not head_of(tree.git_dir).startswith("ref: "):
        return
    with metadata_lock(git.repository) as lock, step("branch.detach"):
        commit = run_in(git, tree, "rev-parse", "--verify", "HEAD^{commit}", descriptors=lock).text
        run_in(git, tree, "update-ref", "--no-deref", "HEAD", commit, descriptors=lock)
