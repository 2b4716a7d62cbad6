"""Which plan files tasks are read from, and in which a task is ticked.

A plan at work has a worktree, and the copy of its file there is what counts; else that of the worktree one
stands in, else that of the main checkout. A file that is a link out of its worktree is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.states import WORKTREE_ATTEMPTS
from plans.document import read_plan, save_tick
from plans.errors import ChangedMeanwhileError, UnknownTaskError
from plans.ids import TaskId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.protocol import Store
    from plans.model import Plan
    from worktrees.repository import Repository

_TRIES = 5
"""How often a box is looked for again in a file that somebody saves just then."""


@dataclass(frozen=True, slots=True)
class Place:
    """A plan, the file that it was read from, the worktree that this is in, and the branch there."""

    plan: Plan
    file: Path
    worktree: Path
    branch: str


def places(repository: Repository, store: Store, environ: Mapping[str, str]) -> dict[str, Place]:
    """Every plan with its place, by id, in the order of the plan files."""
    found: dict[str, Place] = {}
    for top, git_dir in _tops(repository):
        for plan in _plans_in(top, repository).values():
            if plan.id not in found:
                found[plan.id] = Place(plan, top / plan.path, top, _branch_of(git_dir))
    for attempt in store.latest_attempts():
        if attempt.state in WORKTREE_ATTEMPTS and attempt.worktree:
            place = _at_work(found.get(attempt.plan), Path(attempt.worktree), attempt.branch)
            if place is not None:
                found[attempt.plan] = place
    return _with_own_copy(found, environ)


def mark(place: Place, task: TaskId, *, done: bool) -> bool:
    """Tick the task's box, or open it, in one atomic write; False where there is nothing to be written.

    Raises ChangedMeanwhileError, the file as it was, where somebody saves it over and over.
    """
    file = place.file.resolve()
    if not file.is_relative_to(place.worktree.resolve()) or not file.is_file():
        return False
    for left in reversed(range(_TRIES)):
        try:
            return save_tick(file, task, done=done)
        except UnknownTaskError:
            return False  # it was taken out of the file since
        except ChangedMeanwhileError:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def _tops(repository: Repository) -> list[tuple[Path, Path]]:
    tops = [] if repository.top is None else [(repository.top, repository.git_dir)]
    primary = repository.primary_top
    if primary is not None and primary != repository.top and primary.is_dir():
        tops.append((primary, repository.common_dir))
    return tops


def _plans_in(top: Path, repository: Repository) -> Mapping[str, Plan]:
    from orchestrator.settings import working_settings  # noqa: PLC0415 - YAML
    from plans.catalog import load_catalog  # noqa: PLC0415 - as above

    folders = working_settings(repository).project.plans
    return {plan.id: plan for plan in load_catalog(top.resolve(), folders, []).plans.values()}


def _at_work(known: Place | None, worktree: Path, branch: str) -> Place | None:
    """The plan as its own worktree has it; None where its file is not there."""
    if known is None or known.plan.path.is_absolute():
        return None
    file = worktree / known.plan.path
    return _read(known, file, worktree, branch)


def _with_own_copy(found: dict[str, Place], environ: Mapping[str, str]) -> dict[str, Place]:
    """Inside a plan's command its own file is the one that the command was told of."""
    plan, file = environ.get("PLANCTL_PLAN"), environ.get("PLANCTL_PLAN_FILE")
    known = found.get(plan or "")
    if (
        known is not None
        and file
        and Path(file).is_file()
        and not known.file.is_relative_to(Path(file).parent)
    ):
        in_worktree = Path(file).is_relative_to(Path(environ.get("PLANCTL_WORKTREE") or "/nowhere"))
        top = known.worktree if in_worktree else Path(file).parent
        found[known.plan.id] = _read(known, Path(file), top, known.branch) or known
    return found


def _read(known: Place, file: Path, worktree: Path, branch: str) -> Place | None:
    try:
        read = read_plan(known.plan.path, file.read_bytes()).plan
    except OSError:
        return None
    return None if read is None or read.id != known.plan.id else Place(read, file, worktree, branch)


def _branch_of(git_dir: Path) -> str:
    """The branch that is checked out; an empty text for a detached HEAD."""
    head = (git_dir / "HEAD").read_bytes().decode("utf-8", "surrogateescape").strip()
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
