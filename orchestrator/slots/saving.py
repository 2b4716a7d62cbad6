"""Work in a slot that is captured under ``refs/planctl/rescue/``, or set aside with its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.states import SlotState
from worktrees.errors import RescueIncompleteError, RescueInterruptedError
from worktrees.forward import is_spotless
from worktrees.rescue import rescue
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench
    from worktrees.slot import SlotTree


def save_work(
    bench: Workbench, slot: Slot, tree: SlotTree, label: str, named: Sequence[str] = ()
) -> str | None:
    """Capture what is uncommitted in ``tree``, the folder of ``slot``, without touching it.

    Filed under ``label``, else under the slot's plan, else under its name. Of ignored files those that
    ``rescue_ignored:`` names are kept, and ``named``, exact paths. Returns the reference; None: nothing is
    there to keep. Raises :class:`RescueIncompleteError`, whose reference keeps what could be captured.
    """
    try:
        rescued = rescue(
            bench.git,
            tree.path,
            label or slot.plan or slot.name,
            ignored=bench.settings.project.rescue_ignored,
            named=named,
            stamp=bench.stamp(),
            git_dir=tree.git_dir,
        )
    except RescueIncompleteError as error:
        if error.reference is not None:
            _tell(bench, slot, error.reference)
        raise
    if rescued is None:
        return None
    _tell(bench, slot, rescued.reference)
    return rescued.reference


def _tell(bench: Workbench, slot: Slot, reference: str) -> None:
    now = bench.clock.now()
    bench.store.emit(EventName.RESCUED, at=now, plan=slot.plan, reference=reference, slot=slot.name)


def has_nothing_to_save(bench: Workbench, tree: SlotTree | None) -> bool:
    """Whether a rescue of a slot would find nothing, by a look that is quicker; False where in doubt."""
    if tree is None or is_gone(tree) or bench.settings.project.rescue_ignored:
        return False
    return is_spotless(bench.git, tree)


def left_as(why: RescueIncompleteError) -> SlotState:
    """What a slot is whose rescue failed: ``quarantined``; ``broken``, for another try, if git was killed."""
    return SlotState.BROKEN if isinstance(why, RescueInterruptedError) else SlotState.QUARANTINED


def set_aside(bench: Workbench, slot: Slot, why: RescueIncompleteError) -> None:
    """Quarantine a slot that could not be made ready for the plan that took it: it is nobody's then."""
    bench.store.move_slot(
        slot,
        left_as(why),
        session=None,
        attempt=None,
        plan=None,
        detail=str(why),
        changed_at=bench.clock.now(),
    )
