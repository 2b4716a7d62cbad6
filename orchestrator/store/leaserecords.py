"""What the store remembers of rights: who holds one, who waits for one, and what became of both."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.store.record import Record
from orchestrator.store.scopes import Scope


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lease(Record):
    """A grant: ``session`` holds ``name`` until ``expires`` (monotonic, of ``boot``) under ``token``.

    ``since`` is when it was granted, monotonic. ``patterns`` are the files that are meant; none: all of it.
    """

    name: str
    session: str
    token: int
    boot: str
    expires: float
    acquired_at: str
    purpose: str = ""
    scope: Scope = Scope.WRITE
    branch: str = ""
    patterns: tuple[str, ...] = ()
    since: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LeaseWait(Record):
    """A session waits for a lease; ``ticket`` is its number, ``asked`` and ``expires`` are monotonic.

    ``pid``, ``process_started`` and ``host`` are of the process that waits, which need not be the session's;
    pid 0: not known.
    """

    name: str
    session: str
    boot: str
    expires: float
    asked_at: str
    asked: float
    scope: Scope = Scope.WRITE
    branch: str = ""
    patterns: tuple[str, ...] = ()
    priority: float = 50
    purpose: str = ""
    pid: int = 0
    process_started: float = 0.0
    host: str = ""
    ticket: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LeaseNote(Record):
    """A line of the log of leases. ``seconds``: how long it was waited for (granted) or held (what ended)."""

    at: str
    action: str
    name: str
    scope: Scope
    branch: str
    patterns: tuple[str, ...]
    session: str
    token: int = 0
    seconds: float | None = None
    detail: str = ""
    sequence: int = 0
