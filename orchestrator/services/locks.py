"""Leases by name for people and agents: take, give back, break, and who has what and why it waits."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import BusyError, LeaseBusyError, NothingToDoError, UsageError
from orchestrator.leases.acquiring import acquire_all
from orchestrator.leases.lease import Wanted
from orchestrator.leases.ledger import Action, end, spells
from orchestrator.leases.line import blocked, expected_wait, turn
from orchestrator.scheduling.reservations import files_at_work
from orchestrator.sessions.death import is_abandoned
from orchestrator.sessions.identity import is_alive
from orchestrator.sessions.turns import minding_the_dead
from orchestrator.store.scopes import FILES, Scope, is_over
from plans.errors import PatternSyntaxError
from plans.folding import EXACT
from plans.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.clock import Clock
    from orchestrator.leases.acquiring import Manner
    from orchestrator.leases.lease import HeldLease
    from orchestrator.scheduling.reservations import Standing
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.leaserecords import Lease, LeaseNote, LeaseWait
    from orchestrator.store.protocol import Store
    from plans.folding import Folding

_LONGEST_NAME: Final = 200
_MOST_PRIORITY: Final = 1000
"""In seconds of waiting: nobody is overtaken for longer than twice that."""
_OWN: Final = ("queue:", "task:", "resolve:", "watchdog")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for. ``names`` empty: files alone, under :data:`FILES`."""

    names: tuple[str, ...]
    scope: Scope = Scope.WRITE
    branch: str = ""
    files: tuple[str, ...] = ()
    priority: float = 50
    purpose: str = ""
    folding: Folding = field(default=EXACT)

    def wanted(self, session: str, expiry: float) -> list[Wanted]:
        """What to ask the store for; UsageError for names and patterns that are none."""
        if not self.names and not self.files:
            raise UsageError("name what is to be locked, or the files with --files")
        if not abs(self.priority) <= _MOST_PRIORITY:  # what is no number (nan) is not either
            raise UsageError(f"--priority {self.priority} is not from {-_MOST_PRIORITY} to {_MOST_PRIORITY}")
        return [
            Wanted(
                name=checked_name(name),
                session=session,
                purpose=self.purpose,
                expiry=expiry,
                scope=self.scope,
                branch=self.branch,
                patterns=self.patterns(),
                priority=self.priority,
            )
            for name in dict.fromkeys(self.names or (FILES,))
        ]

    def patterns(self) -> tuple[str, ...]:
        """The files, as names are compared in this repository."""
        try:
            return self.folding.patterns(PatternSet.parse(self.files)).texts
        except PatternSyntaxError as error:
            raise UsageError(f"--files {error.text}: {error.message}") from error


def checked_name(name: str) -> str:
    """A name of a lease; UsageError for one that cannot be shown, or is planctl's own."""
    if name.startswith(_OWN):
        raise UsageError(f"{name[:80]} is held by planctl itself, for {', '.join(_OWN)} are its own")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{name[:80]!r} is no name for a lock: 1 to {_LONGEST_NAME} printable characters")
    return name


def take(
    store: Store, clock: Clock, wanted: Sequence[Wanted], manner: Manner, standing: Standing
) -> list[Lease]:
    """All of ``wanted`` or none, for who works where ``standing`` says.

    Raises LeaseBusyError with the holder, DeadlockError.
    """
    began = clock.monotonic()
    manner = minding_the_dead(_minding(manner, store, clock, standing), store, clock)
    try:
        return acquire_all(store, clock, wanted, manner)
    except BusyError as busy:
        raise LeaseBusyError(busy.what, busy.holder, clock.monotonic() - began) from busy


def _minding(manner: Manner, store: Store, clock: Clock, standing: Standing) -> Manner:
    """``manner``, with files of plans at work in the way; not those of the plan that one works on."""
    return replace(manner, beside=lambda store: files_at_work(store, clock), own=standing.own(store))


def take_one(session: SessionHandle, asked: Asked, manner: Manner, standing: Standing) -> HeldLease:
    """The only one of ``asked``, kept alive by the session's own process. Raises as :func:`take` does."""
    (wanted,) = asked.wanted(session.id, session.wanted("").expiry)
    began = session.clock.monotonic()
    with contextlib.closing(session.open_store()) as store:
        manner = _minding(manner, store, session.clock, standing)
    try:
        return session.take(wanted, manner)
    except BusyError as busy:
        raise LeaseBusyError(busy.what, busy.holder, session.clock.monotonic() - began) from busy


@dataclass(frozen=True, slots=True)
class Which:
    """Which leases are meant; without a name all."""

    name: str | None = None
    token: int | None = None
    files: tuple[str, ...] = ()
    session: str | None = None


def give_back(store: Store, clock: Clock, session: str, which: Which) -> list[Lease]:
    """End those leases of ``session``; those that were ended. None of others are touched.

    Nor those that planctl holds in its name: a task is given back by ``task release``, the queue's lease by
    who works there.
    """
    if which.name is not None:
        checked_name(which.name)
    held = [
        lease
        for lease in store.leases(which.name, session=session)
        if not lease.name.startswith(_OWN)
        and which.token in {None, lease.token}
        and (not which.files or lease.patterns == which.files)
    ]
    return [lease for lease in held if end(store, clock, lease)]


def break_leases(store: Store, clock: Clock, which: Which, by: str) -> list[Lease]:
    """Take it from all that hold it, or from one session; NothingToDoError when nobody does."""
    held = store.leases(which.name, session=which.session)
    if not held:
        raise NothingToDoError(f"{which.name} is not held{f' by {which.session}' if which.session else ''}")
    return [lease for lease in held if end(store, clock, lease, Action.BROKEN, f"by {by}")]


def held_rows(store: Store, clock: Clock, name: str | None = None) -> list[dict[str, Any]]:
    """Every grant under the names of the contract, with its holder."""
    return [_held(store, clock, lease) for lease in store.leases(name)]


def waiting_rows(store: Store, clock: Clock, name: str | None = None) -> list[dict[str, Any]]:
    """Every wait in the order of the line, with place, whom it waits for, an estimate; not of the dead."""
    now, boot = clock.monotonic(), clock.boot()
    alive = [w for w in store.waits(name) if not (is_over(w, now=now, boot=boot) or is_abandoned(w, boot))]
    beside = files_at_work(store, clock)
    ordered = sorted(alive, key=lambda w: (w.name, *turn(w)))
    return [_waiting(store, clock, wait, alive, beside) for wait in ordered]


def plan_rows(store: Store, clock: Clock) -> list[dict[str, Any]]:
    """The files of plans at work, which nobody can reserve meanwhile."""
    return [
        {"plan": attempt.plan, "run": attempt.run, "attempt": attempt.id, "files": list(one.patterns)}
        for one in files_at_work(store, clock)
        if (attempt := store.attempt(one.session)) is not None
    ]


def history_rows(store: Store, name: str | None, limit: int) -> list[dict[str, Any]]:
    """What became of leases, oldest first."""
    return [_note(note) for note in reversed(store.lease_notes(name, limit=limit))]


def lease_data(lease: Lease) -> dict[str, Any]:
    """One grant under the names of the contract."""
    return {
        "name": lease.name,
        "scope": lease.scope.value,
        "branch": lease.branch,
        "files": list(lease.patterns),
        "session": lease.session,
        "token": lease.token,
        "purpose": lease.purpose,
        "acquired_at": lease.acquired_at,
    }


def _held(store: Store, clock: Clock, lease: Lease) -> dict[str, Any]:
    now, boot = clock.monotonic(), clock.boot()
    session = store.session(lease.session)
    holder = None
    if session is not None:
        alive = is_alive(session.pid, session.process_started, session.boot, session.host, this_boot=boot)
        holder = {"kind": session.kind, "pid": session.pid, "host": session.host, "alive": alive}
    return {
        **lease_data(lease),
        "held_seconds": round(now - lease.since, 3) if lease.boot == boot and lease.since else None,
        "expires_in_seconds": round(lease.expires - now, 3) if lease.boot == boot else None,
        "expired": is_over(lease, now=now, boot=boot),
        "holder": holder,
    }


def _waiting(
    store: Store, clock: Clock, wait: LeaseWait, waits: Sequence[LeaseWait], beside: Sequence[Lease]
) -> dict[str, Any]:
    now = clock.monotonic()
    others = [other for other in waits if other.name == wait.name]
    held = [*store.leases(wait.name), *(one for one in beside if one.name == wait.name)]
    why = blocked(wait, held, others, now=now)
    expected = None if why is None else expected_wait(why, spells(store, wait.name), now=now)
    return {
        "name": wait.name,
        "scope": wait.scope.value,
        "branch": wait.branch,
        "files": list(wait.patterns),
        "session": wait.session,
        "priority": wait.priority,
        "purpose": wait.purpose,
        "asked_at": wait.asked_at,
        "waited_seconds": round(now - wait.asked, 3),
        "position": 1 if why is None else why.position,
        "waits_for": [] if why is None else list(why.sessions),
        "expected_seconds": None if expected is None else round(expected, 1),
    }


def _note(note: LeaseNote) -> dict[str, Any]:
    return {
        "sequence": note.sequence,
        "at": note.at,
        "action": note.action,
        "name": note.name,
        "scope": note.scope.value,
        "branch": note.branch,
        "files": list(note.patterns),
        "session": note.session,
        "token": note.token or None,
        "seconds": None if note.seconds is None else round(note.seconds, 3),
        "detail": note.detail,
    }
