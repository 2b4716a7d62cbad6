"""What is saved of an attempt that has ended badly: as much as can be, said in its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.slots.keeper import SlotKeeper, slot_of_attempt
from plans.errors import PlanctlError
from worktrees.errors import RescueIncompleteError

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench


def save_last(bench: Workbench, attempt: str) -> dict[str, str]:
    """Keep what is uncommitted; the worktree stays as well. Returns what to add to the attempt's reason.

    What cannot be captured whole does not hide why the attempt ended.
    """
    slot = slot_of_attempt(bench, attempt)
    try:
        kept = SlotKeeper(bench).save(slot) if slot is not None else None
    except RescueIncompleteError as error:
        return {"not_rescued": str(error), **({"rescue": error.reference} if error.reference else {})}
    except (PlanctlError, OSError) as error:
        return {"not_rescued": str(error)}
    return {"rescue": kept} if kept else {}
