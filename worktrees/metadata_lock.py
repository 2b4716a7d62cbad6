"""One change of worktree metadata at a time per repository, across threads and processes.

Promise: while it is held, no other planctl adds, removes or prunes a worktree of this repository, nor does
a git child that an earlier, killed planctl left behind: such children inherit the descriptors that are
yielded, and the kernel keeps the lock until the last of them is closed. Who waits does so for at most
:data:`PATIENCE` behind one and the same holder (which may be stopped, and holds it for as long as it lives),
and is told then who that is. Not promised: anything about git commands that the user types, or an order
among those who wait. Nobody checks a token: what the lock guards is safe to find half done (see
``provision``).

The holder signs in the lock's own file. It is looked at every few milliseconds: what it guards takes about 5.
On Windows no child inherits it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from plans import systems
from plans.effects import step
from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worktrees.repository import Repository

PATIENCE: Final = 60.0
"""Seconds behind one holder: as long as a lease lasts without a heartbeat."""
_FIRST_REST: Final = 0.001
_LONGEST_REST: Final = 0.016
_ARGUMENTS: Final = 6


class MetadataLockedError(PlanctlError):
    """The lock on git's list of worktrees is not given back; ``pid`` and ``command`` as its holder signed."""

    def __init__(self, path: Path, pid: int | None, command: str, seconds: float) -> None:
        self.path = path
        self.pid = pid
        self.command = command
        who = f"pid {pid} ({command}), or git that it started," if pid else "another process"
        super().__init__(f"{who} has held {path} for {seconds:g} seconds: no worktree can be changed")


@contextlib.contextmanager
def metadata_lock(repository: Repository) -> Iterator[tuple[int, ...]]:
    """Hold the repository's lock; yields the descriptors that git children must inherit. Not reentrant.

    Raises :class:`MetadataLockedError` after :data:`PATIENCE` seconds behind one holder.
    """
    path = repository.state_dir / "worktrees.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        _take_in_time(lock, path)
        sign(lock)
        yield systems.passed_on(lock.fileno())


def _take_in_time(lock: BinaryIO, path: Path) -> None:
    holder, waited, rest = b"", 0.0, _FIRST_REST
    while not systems.lock(lock.fileno(), wait=False):
        signed = path.read_bytes()
        if signed != holder:  # another one's turn: things move
            holder, waited = signed, 0.0
        if waited >= PATIENCE:
            raise MetadataLockedError(path, *_read(signed), PATIENCE)
        threading.Event().wait(rest)
        waited += rest
        rest = min(rest * 1.5, _LONGEST_REST)


def sign(lock: BinaryIO) -> None:
    """Write down whose turn it is: for people, and to tell it from the next one's.

    A full disk is no reason not to work.
    """
    import json  # noqa: PLC0415 - what only reads does without

    words = [Path(sys.argv[0]).name, *takewhile(lambda word: word != "--", sys.argv[1:_ARGUMENTS])]
    turn = {"pid": os.getpid(), "command": " ".join(words), "turn": os.urandom(4).hex()}
    with contextlib.suppress(OSError), step("metadata.sign"):
        lock.truncate(0)
        lock.write(json.dumps(turn).encode("ascii"))
        lock.flush()


def signer(path: Path) -> str:
    """Who has signed the lock in that file last, for people."""
    pid, command = _read(path.read_bytes())
    return f"pid {pid} ({command})" if pid else "another process"


def _read(signed: bytes) -> tuple[int | None, str]:
    import json  # noqa: PLC0415 - as above

    try:
        turn = json.loads(signed)
        return int(turn["pid"]), str(turn["command"])
    except (ValueError, KeyError, TypeError):  # taken and not signed yet, or by an older planctl
        return None, ""
