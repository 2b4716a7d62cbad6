"""A merge prepared in a slot for somebody to finish, as ``git merge`` would leave it, and taken back again.

Conflict markers are in the files, the stages in the index, ``MERGE_HEAD`` in the git folder. The user's merge
drivers, and ``rerere`` where the user has it on, are git's own affair and work as ever: recorded resolutions
are used, and new ones are recorded, in the ``rr-cache`` that all worktrees of a repository share.

Stacked work is merged with the very base that it started from: ``git merge`` would take what it stands on for
its own.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.archive import park
from worktrees.errors import GitFailedError
from worktrees.git import branch_reference
from worktrees.references import References
from worktrees.reuse import quiesce
from worktrees.slot import run_in
from worktrees.state import status
from worktrees.symbolic import head_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worktrees.git import Git
    from worktrees.slot import SlotTree

_MERGE: Final = ("merge", "--no-commit", "--no-ff", "--no-squash", "--no-autostash", "--no-edit")
_ARGUMENTS: Final = 500
"""Paths for one command line, which has its limit."""


@dataclass(frozen=True, slots=True)
class PreparedMerge:
    """What git said. ``clean``: it finished by itself, without any resolution that was recorded."""

    clean: bool
    messages: str


def prepare_merge(
    git: Git, tree: SlotTree, theirs: str, *, name: str, base: str | None = None
) -> PreparedMerge:
    """Merge ``theirs``, called ``name``, into what the clean slot is on, and commit nothing.

    With ``base`` that is the merge base. Raises :class:`GitFailedError`.
    """
    with step("resolver.merge"):
        if base is None:
            merged = run_in(git, tree, *_MERGE, theirs, ok=(0, 1))
        else:
            merged = run_in(git, tree, "merge-recursive", base, "--", "HEAD", theirs, ok=(0, 1))
        if base is None and not (tree.git_dir / "MERGE_HEAD").exists():
            raise GitFailedError(("merge",), merged.status, merged.messages or "nothing was merged")
        (tree.git_dir / "MERGE_HEAD").write_text(f"{theirs}\n", encoding="ascii")
        (tree.git_dir / "MERGE_MODE").write_text("no-ff", encoding="ascii")
        message = f"Merge {name} into {branch_of(tree) or 'HEAD'}\n"
        (tree.git_dir / "MERGE_MSG").write_bytes(message.encode("utf-8", "surrogateescape"))
        if base is not None:
            run_in(git, tree, "rerere")
    return PreparedMerge(merged.status == 0, f"{merged.text}\n{merged.messages}".strip())


def branch_of(tree: SlotTree) -> str | None:
    """The branch that the slot's HEAD is on."""
    head = head_of(tree.git_dir)
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None


def merge_head(tree: SlotTree) -> str | None:
    """The commit that is being merged there, None when no merge is under way."""
    try:
        return (tree.git_dir / "MERGE_HEAD").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def unmerged(git: Git, tree: SlotTree) -> tuple[str, ...]:
    """The paths whose stages are still in the index, sorted."""
    rows = run_in(git, tree, "ls-files", "--unmerged", "-z").records
    return tuple(sorted({row.partition("\t")[2] for row in rows}))


def fingerprint(git: Git, tree: SlotTree) -> str:
    """Tells whether anybody has changed anything there since: index, changed and new files, HEAD."""
    changes = status(git, tree.path)
    told = hashlib.sha256(
        repr((head_of(tree.git_dir), merge_head(tree), changes)).encode("utf-8", "surrogateescape")
    )
    told.update(run_in(git, tree, "ls-files", "--stage", "-z").output)
    for change in changes:
        try:
            seen = os.lstat(tree.path / change.path)
        except OSError:
            continue  # it is not there, which its change says
        told.update(
            repr((change.path, seen.st_mode, seen.st_size, seen.st_mtime_ns)).encode(
                "utf-8", "surrogateescape"
            )
        )
    return told.hexdigest()


def stage(git: Git, tree: SlotTree, paths: Iterable[str]) -> None:
    """Take ``paths`` as they are in the worktree for merged."""
    named = [f":(top,literal){path}" for path in paths]
    for start in range(0, len(named), _ARGUMENTS):
        with step("resolver.add"):
            run_in(git, tree, "add", "--all", "--sparse", "--", *named[start : start + _ARGUMENTS])


def stage_all(git: Git, tree: SlotTree, *, but: Iterable[str]) -> None:
    """Stage every change, also files that are new, except for new files of the names ``but``."""
    named = [f":(top,literal,exclude){path}" for path in but]
    with step("resolver.add"):
        if len(named) > _ARGUMENTS:
            run_in(git, tree, "add", "--update", "--sparse")
        else:
            run_in(git, tree, "add", "--all", "--sparse", "--", ":(top)", *named)


def staged_tree(git: Git, tree: SlotTree) -> str:
    """The tree that a commit of the index would have; raises :class:`GitFailedError` while it is unmerged."""
    with step("resolver.tree"):
        return run_in(git, tree, "write-tree").text


def has_staged(git: Git, tree: SlotTree) -> bool:
    """Whether the index differs from HEAD."""
    return run_in(git, tree, "diff", "--cached", "--quiet", "--no-ext-diff", ok=(0, 1)).status == 1


def commit_staged(git: Git, tree: SlotTree, message: str, *, run_hooks: bool) -> str:
    """Commit what is staged, a merge that is under way with it, as the user; returns the commit.

    git records resolutions as it does so (``rerere``).

    Raises :class:`GitRefusedError` when a hook or a signature refuses.
    """
    data = message.encode("utf-8", "surrogateescape")
    with step("resolver.commit"):
        git.run("commit", "-q", "-F", "-", at=tree.path, stdin=data, hooks=run_hooks, writes=True)
    return run_in(git, tree, "rev-parse", "--verify", "HEAD^{commit}").text


def take_back(git: Git, tree: SlotTree, branch: str) -> None:
    """End the merge and leave the slot clean on ``branch``, where that stands now.

    Whoever calls has rescued what is there. HEAD that was led elsewhere is parked first. Raises
    :class:`RescueIncompleteError` where commits are only in this slot, :class:`GitFailedError`, OSError.
    """
    reference = branch_reference(branch)
    tip = References(git).read(reference)
    if tip is not None and branch_of(tree) != branch:
        head = run_in(git, tree, "rev-parse", "-q", "--verify", "HEAD^{commit}", ok=(0, 1)).text
        park(git, tree.name, [head] if head else [])
        with step("resolver.attach"):
            run_in(git, tree, "symbolic-ref", "-m", f"planctl: on {branch}", "HEAD", reference)
    quiesce(git, tree)
    with step("resolver.reset"):
        run_in(git, tree, "reset", "-q", "--hard", "HEAD", "--")
    with step("resolver.clean"):
        run_in(git, tree, "clean", "-q", "-fd")
