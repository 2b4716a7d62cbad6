"""Uncommitted work in the worktrees where a dead session worked; loaded only when there is some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.slots.keeper import PLAN, SlotKeeper
from worktrees.errors import NotARepositoryError, RescueIncompleteError
from worktrees.repository import find
from worktrees.rescue import rescue

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench


def rescue_at(bench: Workbench, worktree: str) -> tuple[str | None, str]:
    """Capture what is uncommitted there, without touching it.

    The reference, None when there is nothing; and what could not be captured, in words: another try would
    not have it either, and it stays where it is. In the pool a slot of a plan; elsewhere a linked worktree of
    this repository, never the main checkout: what a person has there is in nobody's way, and his.
    """
    slots = [slot for slot in bench.store.slots() if Path(slot.path) == Path(worktree)]
    try:
        if slots:
            return (SlotKeeper(bench).save(slots[0]) if slots[0].purpose == PLAN else None), ""
        return _rescue_own(bench, Path(worktree)), ""
    except RescueIncompleteError as error:
        return error.reference, str(error)


def _rescue_own(bench: Workbench, worktree: Path) -> str | None:
    try:
        found = find(worktree)
    except NotARepositoryError:
        return None  # it was removed, or is none any more
    is_linked = found.common_dir == bench.repository.common_dir != found.git_dir
    if not is_linked or found.top != worktree.resolve():
        return None
    plans = [task.plan for task in bench.store.tasks() if task.worktree and Path(task.worktree) == worktree]
    label = plans[-1] if plans else found.git_dir.name
    ignored, stamp = bench.settings.project.rescue_ignored, bench.stamp()
    try:
        rescued = rescue(bench.git, worktree, label, ignored=ignored, stamp=stamp, git_dir=found.git_dir)
        reference = rescued.reference if rescued else None
    except RescueIncompleteError as error:
        _tell(bench, plans, error.reference, worktree)
        raise
    _tell(bench, plans, reference, worktree)
    return reference


def _tell(bench: Workbench, plans: list[str], reference: str | None, worktree: Path) -> None:
    if reference is not None:
        now, plan = bench.clock.now(), plans[-1] if plans else None
        bench.store.emit(EventName.RESCUED, at=now, plan=plan, reference=reference, worktree=str(worktree))
