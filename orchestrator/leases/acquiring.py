"""A lease is waited for: in line, with a place and an estimate, and never in a circle.

1. ask at once; what is free costs one transaction
2. else stand in line (a row with a ticket), and at each retry, in one transaction: look who is before us and
   what is held, and take it when nothing is in the way
3. when it is not had: sessions in our way whose process is proven dead are ended, waits whose process is
   lose their place, and we look again at once
4. when everybody of a circle waits for the next, and none of them is proven dead, the last in the line gives
   way (:class:`DeadlockError`); what it holds stays with it, and who takes several at once
   (:func:`acquire_all`) gives those back and begins anew
5. whatever ends the wait, the row goes; that of a process that was killed, and whose death nobody can prove
   from here, is over ``WAIT_EXPIRY`` seconds after its last look

Promised: a waiter is granted the lease before all that stand behind it and are in its way. Not promised:
that it is had the moment it is free; that takes until the next look, ten seconds at most.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.errors import BusyError, DeadlockError
from orchestrator.leases import ledger
from orchestrator.leases.backoff import Backoff
from orchestrator.leases.lease import asked_lease, holder_of, try_acquire, who
from orchestrator.leases.ledger import Action
from orchestrator.leases.line import Blocked, blocked, circle, expected_wait, victim, waits_for
from orchestrator.store.leaserecords import Lease, LeaseWait

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from orchestrator.clock import Clock
    from orchestrator.leases.backoff import Retry
    from orchestrator.leases.lease import Wanted
    from orchestrator.store.protocol import Store

WAIT_EXPIRY: Final = 30.0
"""Seconds after its last look that a waiter still has its place; more than the longest pause."""


def _nobody(_sessions: Sequence[str], _waits: Sequence[LeaseWait]) -> bool:
    return False


def _none_beside(_store: Store) -> Sequence[Lease]:
    return ()


class Waiter(NamedTuple):
    """The process that waits, as sessions keep theirs; pid 0: it is not told."""

    pid: int = 0
    started: float = 0.0
    host: str = ""


_UNKNOWN: Final = Waiter()


@dataclass(frozen=True)
class Manner:
    """How to wait. ``make_way`` ends those of the sessions, and those waits, whose process is proven dead.

    It says whether there were any. ``waiter`` is who others can prove to be dead.

    ``limit`` is how many seconds in all, None for as many retries as ``backoff`` has. ``beside`` are rights
    of others that no grant stands for, as what plans at work write: read in the transaction of each look,
    without a token, and who they belong to is their purpose; those of the sessions ``own`` are the asker's.
    """

    backoff: Backoff = field(default_factory=Backoff)
    cancelled: threading.Event = field(default_factory=threading.Event)
    show: Callable[[Retry], None] = lambda _: None
    make_way: Callable[[Sequence[str], Sequence[LeaseWait]], bool] = _nobody
    waiter: Waiter = _UNKNOWN
    limit: float | None = None
    beside: Callable[[Store], Sequence[Lease]] = _none_beside
    own: Collection[str] = ()

    def beside_of(self, name: str) -> Callable[[Store], Sequence[Lease]]:
        """What of it may be in the way of who asks for ``name``."""
        return lambda store: [
            one for one in self.beside(store) if one.name == name and one.session not in self.own
        ]


def acquire(store: Store, clock: Clock, wanted: Wanted, manner: Manner | None = None) -> Lease:
    """Wait for the grant. Raises :class:`BusyError` with the holder when it was not had in time.

    Raises :class:`DeadlockError` when this wait had to give way.
    """
    manner = manner or Manner()
    granted = try_acquire(store, clock, wanted, manner.beside_of(wanted.name))
    if granted is not None:
        return granted
    wait = store.add_wait(asked_wait(clock, wanted, manner.waiter))
    try:
        return _waited(store, clock, wanted, wait, manner)
    except BusyError as busy:
        ledger.note_wait(store, clock, wait, Action.GAVE_UP, busy.holder)
        raise
    except DeadlockError as deadlock:
        ledger.note_wait(store, clock, wait, Action.DEADLOCK, " → ".join(deadlock.sessions))
        raise
    finally:
        store.drop_wait(wait.ticket)


def acquire_all(
    store: Store, clock: Clock, wanted: Sequence[Wanted], manner: Manner | None = None
) -> list[Lease]:
    """All of ``wanted`` or none: what was had already is given back when one is not had.

    They are taken in the order of their names, so that those who take several this way cannot get into a
    circle; one that they get into by what they hold besides is tried again as often as there are retries.
    """
    manner = manner or Manner()
    ordered = sorted(wanted, key=lambda one: (one.name, one.patterns))
    retries = Backoff().retries(lambda: "a deadlock")
    while True:
        held: list[Lease] = []
        try:
            for one in ordered:
                held.append(acquire(store, clock, one, manner))  # noqa: PERF401 - what was had counts
        except BaseException as error:
            for lease in held:
                ledger.end(store, clock, lease, Action.RELEASED, "not all were had")
            retry = next(retries, None) if isinstance(error, DeadlockError) and held else None
            if retry is None or clock.wait(manner.cancelled, retry.seconds):
                raise
        else:
            return held


def asked_wait(clock: Clock, wanted: Wanted, waiter: Waiter = _UNKNOWN) -> LeaseWait:
    """The wait of ``waiter`` for ``wanted``, begun now, without a ticket."""
    now = clock.monotonic()
    return LeaseWait(
        name=wanted.name,
        session=wanted.session,
        boot=clock.boot(),
        expires=now + WAIT_EXPIRY,
        asked_at=clock.now(),
        asked=now,
        scope=wanted.scope,
        branch=wanted.branch,
        patterns=wanted.patterns,
        priority=wanted.priority,
        purpose=wanted.purpose,
        pid=waiter.pid,
        process_started=waiter.started,
        host=waiter.host,
    )


def _waited(store: Store, clock: Clock, wanted: Wanted, wait: LeaseWait, manner: Manner) -> Lease:
    retries = manner.backoff.retries(lambda: holder_of(store, wanted.name))
    while True:
        found = _look(store, clock, wanted, wait, manner)
        if isinstance(found, Lease):
            return found
        if manner.make_way(found.sessions, found.ahead) or _is_circle_of_the_dead(store, clock, wait, manner):
            continue
        waited = clock.monotonic() - wait.asked
        left = None if manner.limit is None else manner.limit - waited
        retry = next(retries, None)
        if retry is None or (left is not None and left <= 0):
            raise BusyError(wanted.name, _held_by(store, found))
        pause = retry.seconds if left is None else min(retry.seconds, left)
        manner.show(_shown(store, clock, wait, found, replace(retry, seconds=pause)))
        if clock.wait(manner.cancelled, pause):
            raise BusyError(wanted.name, _held_by(store, found))


def _look(store: Store, clock: Clock, wanted: Wanted, wait: LeaseWait, manner: Manner) -> Lease | Blocked:
    """Take it, or see why not: one transaction, in which nobody else takes anything."""
    now = clock.monotonic()
    with store.transaction():
        if not store.keep_wait(wait.ticket, expires=now + WAIT_EXPIRY):
            raise BusyError(wanted.name, "others: this wait was ended with its session")
        held = [*store.leases(wait.name), *manner.beside_of(wait.name)(store)]
        why = blocked(wait, held, store.waits(wait.name), now=now)
        if why is not None:
            return why
        granted = ledger.grant(store, clock, asked_lease(clock, wanted), waited=now - wait.asked)
        assert granted is not None, "nothing was in the way a moment ago, and nobody else has written"
        store.drop_wait(wait.ticket)
        return granted


def _is_circle_of_the_dead(store: Store, clock: Clock, wait: LeaseWait, manner: Manner) -> bool:
    """Whether all seemed to wait for each other, and one of them was dead and is gone now.

    Raises :class:`DeadlockError` when all live, and this one is the last in the line.
    """
    now = clock.monotonic()
    with store.transaction(durable=False):
        leases, waits = [*store.leases(), *manner.beside(store)], store.waits()
    found = circle(wait, waits, waits_for(leases, waits, now=now, boot=wait.boot))
    if not found or victim(found).ticket != wait.ticket:
        return False
    sessions = tuple(one.session for one in found)
    if manner.make_way(sessions, found):
        return True
    raise DeadlockError(wait.name, sessions)


def _shown(store: Store, clock: Clock, wait: LeaseWait, why: Blocked, retry: Retry) -> Retry:
    expected = expected_wait(why, ledger.spells(store, wait.name), now=clock.monotonic())
    return replace(retry, holder=_held_by(store, why), position=why.position, expected=expected)


def _held_by(store: Store, why: Blocked) -> str:
    if not why.holders:
        first = why.ahead[0]
        return f"nobody, but {who(store, first.session)} is before it in the line"
    return "; ".join(_holder(store, lease) for lease in why.holders[:3])


def _holder(store: Store, lease: Lease) -> str:
    if lease.token:
        return f"{who(store, lease.session)} since {lease.acquired_at}{_for(lease)}"
    return f"{lease.purpose} ({', '.join(lease.patterns[:3])})"


def _for(lease: Lease) -> str:
    files = f" ({', '.join(lease.patterns[:3])})" if lease.patterns else ""
    return f"{files}: {lease.purpose}" if lease.purpose else files
