"""A worktree as it would be committed now, edits included, without touching it: for forecasts, not to keep.

It is what ``git add -A`` sees: ignored files and repositories inside are left out. A rescue
(``snapshot.py``) keeps more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.quarantine import UNFLUSHED
from worktrees.state import ChangeKind, own_git_dir, status
from worktrees.symbolic import end_of, head_of
from worktrees.tips import read_tip
from worktrees.unread import Unread, read_or_why

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.objects import Objects
    from worktrees.quarantine import Quarantine

_NOBODY: Final = ("-c", "user.name=planctl", "-c", "user.email=planctl@localhost")
_ADD: Final = (*UNFLUSHED, "-c", "core.safecrlf=false", "add", "--sparse", "-A", "--", ".")
_DETACHED: Final = "HEAD"


@dataclass(frozen=True, slots=True)
class LiveTree:
    """``commit`` has ``tree``, and ``head`` as its parent where edits made it another one than ``head``."""

    head: str
    commit: str
    tree: str

    @property
    def has_edits(self) -> bool:
        """Whether uncommitted edits are in it."""
        return self.commit != self.head


def committed(objects: Objects, head: str) -> LiveTree:
    """Finished work: what is committed counts."""
    return LiveTree(head, head, objects.tree_of(head))


def live_tree(room: Quarantine, objects: Objects, worktree: Path, name: str) -> LiveTree | Unread:
    """What is in ``worktree`` at this moment; ``name`` is that of a scratch file, one for each worktree."""
    return read_or_why(worktree, lambda: _read(room, objects, worktree, name))


def _read(room: Quarantine, objects: Objects, worktree: Path, name: str) -> LiveTree | Unread:
    git_dir = own_git_dir(room.git, worktree)
    head = _head(room.git, git_dir)
    if head is None:
        return Unread("its worktree has no commit yet")
    changes = status(room.git, worktree)
    if any(change.kind is ChangeKind.UNMERGED for change in changes):
        return Unread("it is in the middle of a merge")
    if not changes:
        return committed(objects, head)
    index = room.index_of(worktree, git_dir, name)
    inside = (c.path.rstrip("/") for c in changes if c.path.endswith("/"))
    with step("livetree.add"):
        index.run(*_ADD, *(f":(exclude,top,literal){path}" for path in inside))
    tree = index.write_tree()
    if _head(room.git, git_dir) != head:
        return Unread("it committed while it was read")
    if tree == objects.tree_of(head):
        return committed(objects, head)
    with step("livetree.commit"):
        made = room.run(*_NOBODY, "commit-tree", "-p", head, tree, stdin=b"edits\n")
    return LiveTree(head, made.text, tree)


def _head(git: Git, git_dir: Path) -> str | None:
    name = end_of(git_dir, "HEAD")
    if name == _DETACHED:
        return head_of(git_dir) or None
    return read_tip(git.repository.common_dir, name)
