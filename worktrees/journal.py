"""What is being made: one small file per slot, ``<state>/slots/<slot>.making``, locked while it is.

Promise: while the file says something and nobody holds its lock, the making of that slot was killed, and
the slot was never handed to anybody. So what lies there is planctl's own. A second file, ``<slot>.git``, is
locked by the git children that work on the slot: a checkout that outlived a killed or interrupted planctl
still counts as making, and is waited for before anything is unmade. It survives a crash of the machine: else
a leftover would be nobody's, and in the way of that slot for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from plans import systems
from plans.effects import step
from plans.systems import passed_on
from worktrees.errors import SlotUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Making:
    """A slot that is being made: its folder, its metadata folder, and the commit it is made from."""

    path: str
    git_dir: str
    commit: str


class Journal:
    """The open, locked journal of one slot."""

    def __init__(self, file: BinaryIO, children: Path) -> None:
        self._file = file
        self._children_path = children
        self._children = children.open("ab")

    @property
    def descriptors(self) -> tuple[int, ...]:
        """To be inherited by every git child that works on the slot (nothing to inherit on Windows)."""
        return passed_on(self._children.fileno())

    def take_over(self) -> bool:
        """Take the children's lock; False while a git child of an earlier maker is at work."""
        return systems.lock(self._children.fileno(), wait=False)

    def wait_for_children(self) -> None:
        """Return when no git child works on the slot any more: an interrupt ends planctl's wait, not git."""
        self._children.close()
        self._children = self._children_path.open("ab")
        systems.lock(self._children.fileno(), wait=True)

    def close(self) -> None:
        """Give up the children's lock; those that still run keep their copy of it."""
        self._children.close()

    def read(self) -> Making | None:
        """What was being made when its maker was killed. Torn text was written before anything was made."""
        self._file.seek(0)
        try:
            return Making(**json.loads(self._file.read()))
        except (ValueError, TypeError):
            return None

    def write(self, making: Making) -> None:
        """Say what is about to be made."""
        with step("provision.journal"):
            self._file.truncate(0)
            self._file.write(json.dumps(asdict(making)).encode("ascii"))
            self._file.flush()
            os.fsync(self._file.fileno())

    def clear(self) -> None:
        """The slot is made, or unmade: nothing is under way."""
        with step("provision.done"):
            self._file.truncate(0)
            os.fsync(self._file.fileno())  # before the slot is handed to anybody


@contextlib.contextmanager
def journal_of(repository: Repository, name: str) -> Iterator[Journal]:
    """Open and lock the slot's journal; raises :class:`SlotUnavailableError` while another makes the slot."""
    path = repository.state_dir / "slots" / f"{name}.making"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if not systems.lock(file.fileno(), wait=False):
            raise SlotUnavailableError(f"{name} is being made by another process")
        journal = Journal(file, path.with_suffix(".git"))
        try:
            if not journal.take_over():
                raise SlotUnavailableError(f"git is still at work on {name} for a planctl that ended")
            yield journal
        finally:
            journal.close()


def being_made(repository: Repository) -> frozenset[str]:
    """The names of slots whose making was begun and neither finished nor unmade."""
    root = repository.state_dir / "slots"
    files = root.glob("*.making") if root.is_dir() else ()
    return frozenset(Path(f).stem for f in files if f.stat().st_size)


def is_being_made(repository: Repository, name: str) -> bool:
    """Whether the slot of that name is one of :func:`being_made`."""
    try:
        return (repository.state_dir / "slots" / f"{name}.making").stat().st_size > 0
    except FileNotFoundError:
        return False
