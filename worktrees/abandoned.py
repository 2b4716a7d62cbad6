"""Worktrees that other tools made and left: what would be lost with one, and its removal by git itself.

Promise: removed is only what :func:`what_it_holds` finds nothing in, and git looks once more: without
``--force`` it refuses a worktree with any change or untracked file, one that is locked, one with submodules.
Not promised: that somebody does not begin to work there between the two looks; his files make git refuse.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.damage import logged_commits
from worktrees.errors import GitRefusedError, RescueIncompleteError
from worktrees.metadata_lock import metadata_lock
from worktrees.operation import operation_files
from worktrees.parked import require_parked
from worktrees.slot import SlotTree, registered

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from worktrees.git import Git

_ALL: Final = ("-c", "status.showUntrackedFiles=normal")
"""Somebody who set ``no`` has work in files that git would not mention, and would remove."""
_STATUS: Final = (
    *(*_ALL, "--no-optional-locks", "status", "--porcelain", "-z"),
    *("--ignored", "--untracked-files=normal", ALL_SUBMODULES),
)


def of_others(git: Git, pool: Path) -> tuple[SlotTree, ...]:
    """Every linked worktree that is there and is not planctl's."""
    own = (pool, git.repository.state_dir)
    found = [SlotTree(path.name, path, git_dir) for git_dir, path in registered(git.repository.common_dir)]
    return tuple(
        tree
        for tree in found
        if (tree.path / ".git").is_file() and not any(tree.path.is_relative_to(place) for place in own)
    )


def what_it_holds(git: Git, tree: SlotTree) -> str:
    """What would be lost, or is under way there, in a few words; empty where there is nothing.

    Ignored files count: nobody can tell a cache from somebody's secrets.
    """
    if (tree.git_dir / "locked").exists():
        return "it is locked against removal"
    if operation_files(tree.git_dir):
        return "a merge, rebase or the like is in progress"
    try:
        dirt = git.run(*_STATUS, at=tree.path).records
        unseen = _unseen(git, tree)
        require_parked(git, tree)
        lost = only_logged(git, logged_commits(tree.git_dir))
    except (GitRefusedError, RescueIncompleteError) as error:
        return str(error)
    if dirt:
        more = f" and {len(dirt) - 1} more" if len(dirt) > 1 else ""
        return f"uncommitted, untracked or ignored: {dirt[0][3:]}{more}"
    if unseen:
        return f"git was told not to look at {unseen}, which may hold changes"
    return f"its log names commit {lost[:12]}, which no reference leads to" if lost else ""


def _unseen(git: Git, tree: SlotTree) -> str:
    """The first tracked file that is there and that neither ``status`` nor ``worktree remove`` looks at.

    Its index entry is marked as assume-unchanged (a small letter) or skip-worktree (S).
    """
    for record in git.run("ls-files", "-v", "-z", at=tree.path).records:
        mark, _, name = record.partition(" ")
        if (mark == "S" or mark.islower()) and os.path.lexists(tree.path / name):
            return name
    return ""


def only_logged(git: Git, commits: Iterable[str]) -> str:
    """One of a log's ``commits`` that no reference leads to, or an empty text; raises GitRefusedError."""
    past = sorted({commit for commit in commits if commit.strip("0")})
    return git.run("rev-list", "--max-count=1", *past, "--not", "--all").text if past else ""


def last_used(tree: SlotTree) -> float:
    """When something of git's last happened there, in seconds since 1970."""
    places = (tree.git_dir / "index", tree.git_dir / "logs" / "HEAD", tree.git_dir / "HEAD")
    return max((place.stat().st_mtime for place in places if place.exists()), default=0.0)


def remove(git: Git, tree: SlotTree) -> None:
    """Have git remove it; raises :class:`GitRefusedError` when something is in it after all."""
    with metadata_lock(git.repository) as lock, step("abandoned.remove"):
        git.run(*_ALL, "worktree", "remove", "--", str(tree.path), writes=True, descriptors=lock)
