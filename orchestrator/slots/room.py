"""The disk floor (``pool: {disk_floor: …}``): below it no plan is given a worktree, new or used again.

Free slots cost space and hold no work, so they go first, the longest unused first, until there is room. What
is at work is left alone; checks get their worktree in any case, since what lands gives space back. Promise:
looked at before each worktree that a plan gets. Not promised: that a command does not fill the disk.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import SlotInUseError
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.slots.removing import is_locked, take_off_disk
from orchestrator.states import SlotState
from worktrees.errors import DiskFloorError, ProvisioningError, RescueIncompleteError, SlotUnavailableError
from worktrees.pool import pool_folder
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench

GIB: Final = 1 << 30
_KEPT: Final = (RescueIncompleteError, ProvisioningError, SlotUnavailableError, SlotInUseError)


@dataclass(frozen=True, slots=True)
class Shortage:
    """Less than ``floor`` bytes are free on the file system of ``place``."""

    place: Path
    free: int
    floor: int

    def __str__(self) -> str:
        """A line that stays the same as long as there is a shortage: it is stored as a reason."""
        return f"less than {self.floor / GIB:.1f} GiB free at {self.place}"


def free_space(folder: Path) -> tuple[Path, int]:
    """The existing folder at or above ``folder``, and the bytes that a user may still write there."""
    place = next(p for p in (folder, *folder.parents) if p.exists())
    return place, shutil.disk_usage(place).free


def shortage(bench: Workbench) -> Shortage | None:
    """Whether less is free where worktrees are made than ``planctl.yaml`` asks for."""
    floor = bench.settings.project.pool_disk_floor
    if not floor:
        return None
    place, free = free_space(pool_folder(bench.repository, bench.settings.project.worktrees))
    return Shortage(place, free, floor) if free < floor else None


def lasting_shortage(bench: Workbench) -> Shortage | None:
    """A shortage that no free slot could be removed against."""
    short = shortage(bench)
    return None if short is None or spare_slots(bench, SlotKeeper(bench)) else short


def spare_slots(bench: Workbench, keeper: SlotKeeper) -> Sequence[Slot]:
    """Free slots of plans that take space on the disk, the longest unused first."""
    found = []
    for slot in bench.store.slots(purpose="plan", states={SlotState.FREE}):
        tree = keeper.tree_of(slot)
        if tree is not None and not is_gone(tree) and not is_locked(tree):
            found.append(slot)
    return sorted(found, key=lambda slot: slot.changed_at)


def make_room(bench: Workbench, keeper: SlotKeeper) -> None:
    """Remove free slots until the floor is met; raises :class:`DiskFloorError` when it is not even then.

    A slot that cannot be removed is left in the state that says why, and passed over.
    """
    while (short := shortage(bench)) is not None:
        spare = spare_slots(bench, keeper)
        if not spare:
            raise DiskFloorError(short.place, short.free, short.floor)
        try:
            take_off_disk(bench, keeper, spare[0])
        except _KEPT:
            continue  # another process took it, or its state says what keeps it: it is not spare any more
