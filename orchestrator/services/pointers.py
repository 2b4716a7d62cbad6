"""Which plan a command means, and the plan pointer of the worktree one stands in. There is no global one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.states import SlotState
from plans.ids import PlanId
from worktrees.pointer import clear_pointer, read_pointer, which_plan, write_pointer

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Slot
    from worktrees.repository import Repository

_ENDINGS: Final = (".md", ".markdown", ".yaml", ".yml")


def meant_plan(repository: Repository, text: str | None, start: Path) -> PlanId:
    """The plan that ``text`` (an id or a path) names, else ``PLANCTL_PLAN``, else the worktree's pointer.

    ``start`` is the folder that is stood in. Raises NoPlanError, InvalidNameError, and for a path what
    reading the plan file does.
    """
    return plan_id(repository, text) if text is not None else which_plan(None, os.environ, start)


def plan_id(repository: Repository, text: str) -> PlanId:
    """The id that a PLAN of the command line names; only a path makes plan files be read."""
    if "/" not in text and "\\" not in text and not text.lower().endswith(_ENDINGS):
        return PlanId.parse(text)
    from orchestrator.services.plans import choose, usable_settings  # noqa: PLC0415 - YAML, for paths only

    return choose(repository, usable_settings(repository), (text,), Path.cwd())[0].id


def slot_at(store: Store, folder: Path) -> Slot | None:
    """The slot of the pool that ``folder`` is the top of, or None."""
    place = folder.resolve()
    slots = (s for s in store.slots() if s.state is not SlotState.REMOVED)
    return next((slot for slot in slots if Path(slot.path).resolve() == place), None)


def require_worktree(repository: Repository) -> Path:
    """The top of the worktree that is stood in; UsageError in a bare repository or a git folder."""
    if repository.top is None:
        raise UsageError("there is no worktree here that could hold a pointer")
    return repository.top


def shown(repository: Repository) -> PlanId | None:
    """The plan that the worktree's pointer names."""
    return read_pointer(require_worktree(repository))


def set_pointer(repository: Repository, store: Store, plan: PlanId) -> None:
    """Make the worktree one stands in that of ``plan``.

    Raises UsageError in a slot of the pool that another plan holds: its command would lose its plan.
    """
    from worktrees.exclude import exclude  # noqa: PLC0415 - for those who write

    top = require_worktree(repository)
    _require_own(store, top, plan)
    exclude(repository)
    write_pointer(top, plan)


def clear(repository: Repository, store: Store) -> PlanId | None:
    """Take the pointer away and return what it named; UsageError in a slot that a plan holds."""
    top = require_worktree(repository)
    _require_own(store, top, None)
    before = read_pointer(top)
    clear_pointer(top)
    return before


def _require_own(store: Store, top: Path, plan: PlanId | None) -> None:
    slot = slot_at(store, top)
    if slot and slot.state is not SlotState.FREE and slot.plan and slot.plan != plan:
        raise UsageError(f"{slot.name} is the worktree of {slot.plan}, and its pointer stays with it")
