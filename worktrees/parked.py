"""The last look before commits could be lost: nothing goes whose commits are neither landed nor parked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import GitRefusedError, RescueIncompleteError
from worktrees.symbolic import head_of

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.slot import SlotTree

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_AUTOSTASHES: Final = ("MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash")


def private_commits(tree: SlotTree) -> dict[str, str]:
    """Name and object of what only this slot holds: a detached HEAD, autostashes, its own references.

    ``refs/worktree``, ``refs/bisect`` and ``refs/rewritten`` are kept per worktree, each in its own file.
    """
    places = [tree.git_dir / "HEAD", *(tree.git_dir / name for name in _AUTOSTASHES)]
    own = tree.git_dir / "refs"
    places += sorted(p for p in own.rglob("*") if p.is_file() and p.suffix != ".lock")
    found = {p.relative_to(tree.git_dir).as_posix(): _object_in(p) for p in places}
    return {name: text for name, text in found.items() if text}


def require_parked(git: Git, tree: SlotTree) -> None:
    """Raise :class:`RescueIncompleteError` unless all that only this slot holds is reachable elsewhere."""
    held = private_commits(tree)
    if not held:
        return
    try:
        lost = git.run(
            "rev-list", "--single-worktree", "--max-count=1", *sorted(set(held.values())), "--not", "--all"
        ).text
    except GitRefusedError as error:
        raise RescueIncompleteError(tree.path, f"its commits cannot be read: {error}") from error
    if lost:
        names = ", ".join(name for name, text in held.items() if text == lost) or ", ".join(held)
        raise RescueIncompleteError(tree.path, f"commit {lost[:12]} is only in the slot ({names})")


def require_nothing_staged(git: Git, tree: SlotTree) -> None:
    """For a slot whose folder is gone: raise :class:`RescueIncompleteError` if anything is staged."""
    if not (tree.git_dir / "index").exists():
        return
    pinned = {"GIT_DIR": str(tree.git_dir), "GIT_WORK_TREE": str(git.desk / "empty")}
    done = git.run(
        "diff-index",
        "--cached",
        "--quiet",
        ALL_SUBMODULES,
        "HEAD",
        at=git.desk / "empty",
        extra=pinned,
        ok=(0, 1, 128),
    )
    if done.status:
        raise RescueIncompleteError(tree.path, "its folder is gone and its index holds staged work")


def _object_in(path: Path) -> str:
    text = head_of(path.parent) if path.name == "HEAD" else _first_line(path)
    return text if _COMMIT.fullmatch(text) else ""


def _first_line(path: Path) -> str:
    if not path.is_file():
        return ""
    return path.read_bytes().decode("utf-8", "surrogateescape").strip()
