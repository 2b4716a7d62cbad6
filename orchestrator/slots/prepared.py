"""Merges that stand prepared in slots for a resolver: a journal for each, so that none is forgotten.

Promise: from before the merge is prepared until it is committed or taken back, the slot has a journal, and
while it has one that is not ``done`` nobody gives the slot to another plan or removes it. What planctl
itself does in the worktree it does under a lock of the kernel (:func:`standing`): whoever is stopped in the
middle of it keeps others from taking the merge back until it goes on or is killed. Not promised: that
somebody is at work there; the lease ``resolve:<entry>`` says that, and whoever takes it looks after the rest.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import BusyError
from plans import systems
from plans.effects import step, write_atomic
from worktrees.metadata_lock import sign, signer
from worktrees.removal import delete_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Prepared:
    """A merge of ``theirs`` into ``ours``, the head of ``branch``, in a slot, for an entry.

    ``record`` names the resolver's command, ``log`` its output. ``taken``: the slot was taken for this
    alone. ``holder`` is the attempt that held it then. ``marked`` are the paths in conflict that have
    conflict markers, or had before a recorded resolution was used; ``print`` is the worktree then.
    ``done``: the merge is committed as ``commit``, so that nothing is to be taken back any more.
    ``rescue`` keeps the ignored files that the merge wrote over. ``made``: the branch is made here for this,
    of one that only the remote has.
    """

    entry: str
    slot: str
    branch: str
    ours: str
    theirs: str
    record: str
    log: str
    taken: bool
    marked: tuple[str, ...] = ()
    print: str = ""
    done: bool = False
    holder: str = ""
    commit: str = ""
    rescue: str = ""
    made: bool = False


def folder_of(repository: Repository) -> Path:
    """Where the journals are, and beside them a folder for each with what the resolver is told."""
    return repository.state_dir / "resolving"


def begin(repository: Repository, prepared: Prepared) -> None:
    """Write the first journal of the slot; raises BusyError where it has another one, or is just given up."""
    with standing(repository, prepared):
        if is_prepared(repository, prepared.slot):
            raise BusyError(f"the merge in {prepared.slot}", "another process")
        note(repository, prepared)


def note(repository: Repository, prepared: Prepared) -> None:
    """Write the journal of the slot, durably, over an earlier one."""
    with step("resolver.folder"):
        folder_of(repository).mkdir(parents=True, exist_ok=True)
    with step("resolver.journal"):
        write_atomic(_path(repository, prepared.slot), json.dumps(asdict(prepared)).encode())


def forget(repository: Repository, prepared: Prepared) -> None:
    """Take the journal away, and what the resolver was told."""
    delete_tree(folder_of(repository) / prepared.record)
    with step("resolver.forget"):
        _path(repository, prepared.slot).unlink(missing_ok=True)


def journals(repository: Repository) -> tuple[Prepared, ...]:
    """Every journal there is, by slot."""
    found = (_read(path) for path in sorted(folder_of(repository).glob("*.json")))
    return tuple(prepared for prepared in found if prepared is not None)


@contextlib.contextmanager
def standing(repository: Repository, prepared: Prepared) -> Iterator[bool]:
    """Whether the journal of its slot is still this one, word for word; and so it stays while this lasts.

    Raises BusyError, which names the process that is at the same.
    """
    path = repository.state_dir / f"resolving-{prepared.slot}.lock"
    with step("resolver.lock"):
        lock = path.open("ab")
    with lock:
        if not systems.lock(lock.fileno(), wait=False):
            raise BusyError(f"the merge in {prepared.slot}", signer(path))
        sign(lock)
        yield _read(_path(repository, prepared.slot)) == prepared


def is_prepared(repository: Repository, slot: str) -> bool:
    """Whether a merge is, or may be, under way in that slot, so that it is nobody else's to have."""
    prepared = _read(_path(repository, slot))
    return prepared is not None and not prepared.done


def _path(repository: Repository, slot: str) -> Path:
    return folder_of(repository) / f"{slot}.json"


def _read(path: Path) -> Prepared | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return Prepared(**{**value, "marked": tuple(value["marked"])})
