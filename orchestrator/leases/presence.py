"""Who works on a repository at all: a kernel lock that everybody shares, and that uninstalling holds alone.

Promise: while :func:`alone` is held, no process that went through :func:`present` is at work on the
repository, nor can one begin; the kernel takes the lock from a process that dies. Not promised: anything
about commands of plans, which outlive their planctl (who uninstalls looks at them), nor on Windows, which has
no such lock. The file goes with the state folder, so whoever gets a lock makes sure that it is still the
file of that name.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO, Final

from orchestrator.errors import BusyError
from plans.effects import step
from plans.systems import WINDOWS, lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "presence.lock"


@contextlib.contextmanager
def present(state_dir: Path) -> Iterator[None]:
    """Be at work on the repository; raises :class:`BusyError` while planctl is being uninstalled."""
    with _locked(state_dir, shared=True) as had:
        if not had:
            raise BusyError("the repository", "planctl uninstall")
        yield


@contextlib.contextmanager
def alone(state_dir: Path) -> Iterator[bool]:
    """Keep everybody else out; yields whether nobody else is there. Does not wait."""
    with _locked(state_dir, shared=False) as had:
        yield had


@contextlib.contextmanager
def _locked(state_dir: Path, *, shared: bool) -> Iterator[bool]:
    if WINDOWS:
        yield True
        return
    while True:
        with step("presence.open"):
            state_dir.mkdir(parents=True, exist_ok=True)
            file = (state_dir / FILE).open("ab")
        with file:
            if not lock(file.fileno(), wait=False, shared=shared):
                yield False
                return
            if _is_named(file, state_dir / FILE):
                yield True
                return


def _is_named(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is the one of that name: an uninstall may have taken the folder away."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(file.fileno())
    return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)
