"""The independent check before a reference moves: by tree ids through libgit2, not through what merged.

It refuses, before anything has moved, a candidate that
- is not a descendant of the target with exactly the parents that were meant (S2, S6),
- has another tree than the one the verdict speaks of (S2),
- changes a path that neither its members changed nor a rename on the target explains (S3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worktrees.changes import landing_scope

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Candidate, Work


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate must not land; for a person, and blaming nobody."""

    code: str
    detail: str
    paths: tuple[str, ...] = ()


def refusal(
    bench: Workbench, old: str, candidate: Candidate, work: Work, checked_tree: str | None
) -> Refusal | None:
    """Return why ``candidate`` must not follow ``old`` on the target, or None.

    ``checked_tree`` is the tree that the passing verdict speaks of, None for an unchecked landing.
    """
    objects = bench.objects
    expected = old
    for commit in candidate.steps:
        parents = objects.parents(commit)
        if not parents or parents[0] != expected:
            return Refusal("wrong-parent", f"{commit[:12]} does not follow {expected[:12]}")
        expected = commit
    if len(objects.parents(candidate.commit)) > 1 and objects.parents(candidate.commit)[1:] != (work.head,):
        return Refusal("wrong-parent", f"{candidate.commit[:12]} does not merge {work.head[:12]}")
    tree = objects.tree_of(candidate.commit)
    if tree != candidate.tree or (checked_tree is not None and tree != checked_tree):
        return Refusal("other-tree", f"the check spoke of tree {checked_tree}, the candidate has {tree}")
    outside = landing_scope(objects, old, candidate.commit, work).outside
    if outside:
        return Refusal("undoes-others", "paths that no member changed would change", outside)
    return None
