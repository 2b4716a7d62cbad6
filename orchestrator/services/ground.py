"""The ground that plans are compared on before they start: a tree, and the plans as they count in it.

A run is compared on the tip of its target, which is what its work will be merged with; ``resume`` goes back
to the same commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from orchestrator.settings import target_reference
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


@dataclass(frozen=True)
class Ground:
    """The tree of ``commit``, a revision; None where there is no commit yet."""

    git: Git
    commit: str | None

    @cached_property
    def names(self) -> Names:
        """What is in the tree: listed when it is asked for. Raises UnknownRevisionError."""
        return Names() if self.commit is None else names_at(self.git, self.commit)

    def stored(self) -> dict[str, Any]:
        """What a run keeps of it among its options."""
        return {"ground": self.commit, "submodules": list(self.names.submodules)}


def ground_of_target(git: Git, settings: Settings) -> Ground:
    """The ground at the tip of the target."""
    return Ground(git, tip_of(git, target_reference(settings.project)))


def as_compared(
    settings: Settings, plans: Sequence[Plan], ground: Ground, names: Names, *, keep: bool = True
) -> tuple[Plan, ...]:
    """The plans with the submodules among ``names`` that they reach into, in which they are compared.

    Where ``predicted: bind`` says so, plans are predicted on the ``ground``. ``keep=False`` writes nothing.
    """
    if settings.project.predicted is Predicted.BIND and any(plan.manifest is None for plan in plans):
        history = partial(earlier_changes, ground.git, ground.commit, keep=keep)
        plans = Predictor(FileTree(ground.names.files), history).bound(plans)
    return tuple(with_submodules(plan, names.submodules) for plan in plans)


def earlier_changes(git: Git, revision: str | None, *, keep: bool = True) -> Sequence[frozenset[str]]:
    """The files that each commit up to ``revision`` (else HEAD) changed; nothing where there is none.

    ``keep=False`` writes nothing.
    """
    try:
        tip = commit_of(git, revision or "HEAD")
    except UnknownRevisionError:
        return ()
    return commit_files(git, tip, keep=keep)
