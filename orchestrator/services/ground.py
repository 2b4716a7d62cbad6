"""The ground that plans are compared on before they start: a tree, and the plans as they count in it.

A run is compared on the tip of its target, which is what its work will be merged with; ``resume`` goes back
to the same commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from plans.predicted import Predictor
from plans.project import Predicted
from plans.submodules import with_submodules
from plans.tree import FileTree
from worktrees.commitfiles import commit_files
from worktrees.errors import UnknownRevisionError
from worktrees.files import Names, commit_of, names_at, tip_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.settings import Settings
    from plans.model import Plan
    from worktrees.git import Git


@dataclass(frozen=True, slots=True)
class Ground:
    """The names at ``commit``; without names where there is no commit yet."""

    commit: str | None = None
    names: Names = field(default_factory=Names)

    def stored(self) -> dict[str, Any]:
        """What a run keeps of it among its options."""
        return {"ground": self.commit, "submodules": list(self.names.submodules)}


def ground_at(git: Git, revision: str | None) -> Ground:
    """The ground at ``revision``, None for none at all; raises UnknownRevisionError."""
    return Ground() if revision is None else Ground(revision, names_at(git, revision))


def ground_of_target(git: Git, settings: Settings) -> Ground:
    """The ground at the tip of the target."""
    return ground_at(git, tip_of(git, settings.project.target))


def as_compared(
    git: Git, settings: Settings, plans: Sequence[Plan], ground: Ground, *, keep: bool = True
) -> tuple[Plan, ...]:
    """The plans with the submodules that they reach into, and predicted where ``predicted: bind`` says so.

    ``keep=False`` writes nothing.
    """
    if settings.project.predicted is Predicted.BIND and any(plan.manifest is None for plan in plans):
        history = partial(earlier_changes, git, ground.commit, keep=keep)
        plans = Predictor(FileTree(ground.names.files), history).bound(plans)
    return tuple(with_submodules(plan, ground.names.submodules) for plan in plans)


def earlier_changes(git: Git, revision: str | None, *, keep: bool = True) -> Sequence[frozenset[str]]:
    """The files that each commit up to ``revision`` (else HEAD) changed; nothing where there is none.

    ``keep=False`` writes nothing.
    """
    try:
        tip = commit_of(git, revision or "HEAD")
    except UnknownRevisionError:
        return ()
    return commit_files(git, tip, keep=keep)
