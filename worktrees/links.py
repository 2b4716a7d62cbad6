"""A readable link per plan: ``<pool>/plans/<plan>`` leads to the slot that holds it.

In a folder of its own, because a plan may be called ``slot-01``. For people only: nothing reads the links.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from plans.effects import step
from plans.systems import WINDOWS

if TYPE_CHECKING:
    from pathlib import Path

    from plans.ids import PlanId

FOLDER: Final = "plans"


def link_plan(folder: Path, plan: PlanId, slot: Path) -> bool:
    """Let the plan's link lead to ``slot``, in one moment. False where the system allows no links."""
    link = folder / FOLDER / plan
    temporary = link.with_name(f".{plan}.{os.getpid()}-{slot.name}.tmp")
    with step("links.write"):
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(os.path.relpath(slot, link.parent), target_is_directory=True)
        except OSError:
            if not WINDOWS:  # Windows asks for a privilege that most people do not have
                raise
            return False
        temporary.replace(link)
    return True


def unlink_plan(folder: Path, plan: PlanId) -> None:
    """Take the plan's link away; harmless when there is none, or when it is no link."""
    link = folder / FOLDER / plan
    with step("links.remove"):
        if link.is_symlink():
            link.unlink()


def linked_plans(folder: Path) -> dict[str, str]:
    """Plan id to slot name, of every link there is."""
    root = folder / FOLDER
    links = sorted(p for p in root.iterdir() if p.is_symlink()) if root.is_dir() else []
    return {link.name: link.readlink().name for link in links}
