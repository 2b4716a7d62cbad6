"""What predictions rest on: the files of a revision, and what earlier commits changed together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from plans.predicted import Predictor
from plans.project import Predicted
from plans.tree import FileTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.settings import Settings
    from plans.model import Plan
    from worktrees.git import Git


def earlier_changes(git: Git, revision: str | None = None, *, keep: bool = True) -> Sequence[frozenset[str]]:
    """The files that each commit up to ``revision`` (else HEAD) changed; nothing where there is none.

    ``keep=False`` writes nothing.
    """
    from worktrees.commitfiles import commit_files  # noqa: PLC0415 - GitPython costs 115 ms
    from worktrees.errors import UnknownRevisionError  # noqa: PLC0415 - as above
    from worktrees.files import commit_of  # noqa: PLC0415 - as above

    try:
        tip = commit_of(git, revision or "HEAD")
    except UnknownRevisionError:
        return ()
    return commit_files(git, tip, keep=keep)


def bound_plans(
    git: Git, settings: Settings, plans: Sequence[Plan], revision: str | None = None, *, keep: bool = True
) -> tuple[Plan, ...]:
    """The plans as they are compared: under ``predicted: bind`` with a manifest where they declare none.

    Predicted at ``revision``, else at the tip of the target. ``keep=False`` writes nothing.
    """
    from worktrees.files import files_at, tip_of  # noqa: PLC0415 - GitPython costs 115 ms

    unknown = any(plan.manifest is None for plan in plans)
    if settings.project.predicted is not Predicted.BIND or not unknown:
        return tuple(plans)
    at = revision or tip_of(git, settings.project.target)
    if at is None:
        return tuple(plans)
    return Predictor(FileTree(files_at(git, at)), partial(earlier_changes, git, at, keep=keep)).bound(plans)
