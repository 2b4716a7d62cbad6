"""Which plan a worktree holds: ``.planctl/current-plan``, one per worktree and none for all.

Read at the start of commands that must be fast, so nothing of git is imported here.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic
from plans.ids import PlanId
from worktrees.errors import NoPlanError, ProvisioningError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER: Final = ".planctl"
FILE: Final = "current-plan"
VARIABLE: Final = "PLANCTL_PLAN"
_LONGEST: Final = 256


def write_pointer(worktree: Path, plan: PlanId) -> None:
    """Make ``worktree`` the worktree of ``plan``; the caller excludes the folder (``exclude.exclude``).

    Raises :class:`ProvisioningError` where the folder is a link that leads elsewhere, or :class:`OSError`.
    """
    folder = worktree / FOLDER
    if folder.is_symlink():
        raise ProvisioningError(worktree, f"{FOLDER} is a symbolic link")
    with step("pointer.write"):
        folder.mkdir(exist_ok=True)
        write_atomic(folder / FILE, f"{plan}\n".encode("ascii"))


def clear_pointer(worktree: Path) -> None:
    """Take the pointer away, and its folder if nothing else is in it. Harmless when there is none."""
    folder = worktree / FOLDER
    if folder.is_symlink():
        return
    with step("pointer.clear"):
        (folder / FILE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody's files are in it, or it is not there
            folder.rmdir()


def read_pointer(start: Path) -> PlanId | None:
    """The plan of the worktree that holds ``start``, or None. Other worktrees are never looked at.

    Raises :class:`plans.errors.InvalidNameError` when the pointer's text is no plan id.
    """
    for top in _tops(start.resolve()):
        try:
            with (top / FOLDER / FILE).open("rb") as pointer:
                text = pointer.read(_LONGEST)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return PlanId.parse(text.decode("utf-8", "replace").strip())
    return None


def which_plan(explicit: str | None, environment: Mapping[str, str], start: Path) -> PlanId:
    """The plan a command means: ``--plan``, else ``PLANCTL_PLAN``, else the pointer; there is no global one.

    Raises :class:`NoPlanError`, or :class:`plans.errors.InvalidNameError` for a text that is no plan id.
    """
    named = explicit or environment.get(VARIABLE)
    if named:
        return PlanId.parse(named)
    plan = read_pointer(start)
    if plan is None:
        raise NoPlanError(start)
    return plan


def _tops(start: Path) -> Iterator[Path]:
    """The top of the worktree, after those of the submodules one stands in: they belong to it."""
    for folder in (start, *start.parents):
        dot_git = folder / ".git"
        if dot_git.is_dir():
            yield folder
            return
        if dot_git.is_file():
            yield folder
            if Path(os.fsdecode(dot_git.read_bytes().strip())).parent.name == "worktrees":
                return  # gitdir: …/worktrees/<id>, a linked worktree; a submodule's is …/modules/<name>
