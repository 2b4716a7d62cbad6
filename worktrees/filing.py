"""Give a snapshot its reference; one that holds the same state takes the place of the one before it.

A worktree that nothing has changed since it was rescued is rescued again when it is used again, after an
interrupted run for one. The newest reference of its label then moves to the new snapshot: the name that a
person was told stays good, and ``retention:`` counts from the last time the state was met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.errors import ReferenceMovedError
from worktrees.git import valid_reference
from worktrees.objects import Objects
from worktrees.references import Create, References, Update

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.references import Change

PREFIX: Final = "refs/planctl/rescue"
_PARTS: Final = 2
"""A snapshot's last parents: its index, and what is beside it (see snapshot.py)."""


def file_snapshot(git: Git, label: str, stamp: str, commit: str) -> str:
    """Point a reference of ``label`` at ``commit``, the newest or a new one; return its name."""
    objects, fresh = Objects(git.repository), valid_reference(f"{PREFIX}/{label}/{stamp}")
    references = References(git, objects)
    message = f"planctl: rescue of {label}"

    def move(change: Change) -> str:
        references.transact([change], message=message, step="rescue.reference")
        return change.name

    known = references.list(f"{PREFIX}/{label}/")
    newest = max(known, default=None)
    if newest is not None and _held(objects, known[newest]) == _held(objects, commit):
        try:
            return move(Update(newest, commit, known[newest]))
        except ReferenceMovedError:  # rescued by another process, or let go, this moment
            return move(Create(fresh, commit))
    return move(Create(fresh, commit))


def _held(objects: Objects, commit: str) -> object:
    """All that a snapshot holds, its times left out; None: some of it is lost."""
    if not objects.has_commit(commit):
        return None
    parents = objects.parents(commit)
    parts = parents[-_PARTS:]
    if not all(map(objects.has_commit, parts)):
        return None
    inside = [(objects.tree_of(part), objects.parents(part)) for part in parts]
    return objects.tree_of(commit), parents[:-_PARTS], inside
