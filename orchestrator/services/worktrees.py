"""The pool as it is: what the store knows of each slot, beside what is in its folder. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import NothingToDoError
from orchestrator.settings import working_settings
from orchestrator.states import SlotState
from worktrees.errors import GitFailedError, NotARepositoryError
from worktrees.pool import Pool, SlotTree, pool_folder
from worktrees.state import worktree_state
from worktrees.symbolic import head_of
from worktrees.tips import read_tip

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Slot
    from worktrees.git import Git
    from worktrees.repository import Repository

UNKNOWN = "unknown"
"""The state of a folder of the pool that the store has no row for."""
_REFERENCE = "ref: "


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One slot. ``branch`` is None where HEAD is detached; ``head`` and ``dirty`` where there is no folder.

    ``dirty``: uncommitted work, or an operation such as a merge in progress.
    """

    slot: str
    path: str
    state: str
    plan: str | None
    branch: str | None
    head: str | None
    dirty: bool | None
    purpose: str
    attempt: str | None
    detail: str


def pool_of(repository: Repository, git: Git) -> Pool:
    """The pool of the repository, in the folder that the working copy's settings name."""
    return Pool(git, pool_folder(repository, working_settings(repository).project.worktrees))


def slot_lines(store: Store, pool: Pool) -> list[SlotLine]:
    """Every slot that the store or the disk knows, by name."""
    trees = {tree.name: tree for tree in pool.list()}
    rows = {slot.name: slot for slot in store.slots() if slot.state is not SlotState.REMOVED}
    return [_line(pool.git, name, rows.get(name), trees.get(name)) for name in sorted({*trees, *rows})]


def _line(git: Git, name: str, row: Slot | None, tree: SlotTree | None) -> SlotLine:
    branch, head = _head(git.repository, tree) if tree else (None, None)
    return SlotLine(
        slot=name,
        path=row.path if row else str(tree.path) if tree else "",
        state=str(row.state) if row else UNKNOWN,
        plan=row.plan if row and row.state is not SlotState.FREE else None,
        branch=branch,
        head=head,
        dirty=_is_dirty(git, tree) if tree else None,
        purpose=row.purpose if row else name.partition("-")[0].replace("slot", "plan"),
        attempt=row.attempt if row else None,
        detail=row.detail if row else "",
    )


def _head(repository: Repository, tree: SlotTree) -> tuple[str | None, str | None]:
    text = head_of(tree.git_dir)
    if not text.startswith(_REFERENCE):
        return None, text or None
    reference = text.removeprefix(_REFERENCE)
    return reference.removeprefix("refs/heads/"), read_tip(repository.common_dir, reference)


def _is_dirty(git: Git, tree: SlotTree) -> bool | None:
    """None where it cannot be told: the folder is gone or damaged."""
    try:
        return worktree_state(git, tree.path).condition != "clean"
    except (NotARepositoryError, GitFailedError, OSError):
        return None


def path_of(store: Store, plan: str) -> Path:
    """The worktree that ``plan`` holds; raises NothingToDoError when it has none."""
    held = [s for s in store.slots() if s.plan == plan and s.state not in (SlotState.FREE, SlotState.REMOVED)]
    if not held:
        raise NothingToDoError(f"{plan} holds no worktree")
    newest = max(held, key=lambda slot: slot.changed_at)
    return Path(newest.path)
