"""A lease is taken, checked and given back.

Promised: of the sessions that ask the same store for one name, one at most is granted it at a time; each
grant has a token greater than all before it; a holder that dies loses it when its time is over (``EXPIRY``
seconds) or at once when its death is proven or the machine boots anew. Only monotonic time of one boot
counts: the wall clock may jump as it likes.

Not promised: that a holder notices in time that its lease has passed to another. A process can be stopped
between any two instructions. :meth:`HeldLease.check` fails once the holder's own clock says that the lease
has run out, so that what follows a check at once is nearly always covered; what must never happen twice is
guarded elsewhere: by the version of a record, or by the epoch of a reference transaction.

Who checks the token: the store, at each renewal and release (``WHERE name = ? AND session = ? AND
token = ?``). A stale holder's renewal and release change nothing and say so.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from orchestrator.errors import BusyError, LeaseLostError
from orchestrator.leases.backoff import Backoff
from orchestrator.store.records import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.clock import Clock
    from orchestrator.leases.backoff import Retry
    from orchestrator.store.protocol import Store

EXPIRY: Final = 60.0
"""Seconds that a grant lasts without a renewal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: ``name`` for ``session``, and what it is needed for, to be shown to others."""

    name: str
    session: str
    purpose: str = ""
    expiry: float = EXPIRY


def try_acquire(store: Store, clock: Clock, wanted: Wanted) -> Lease | None:
    """The grant, or None when another session holds the name."""
    now = clock.monotonic()
    asked = Lease(
        name=wanted.name,
        session=wanted.session,
        token=0,  # the store draws it
        boot=clock.boot(),
        expires=now + wanted.expiry,
        acquired_at=clock.now(),
        purpose=wanted.purpose,
    )
    return store.grant(asked, now=now)


def acquire(
    store: Store,
    clock: Clock,
    wanted: Wanted,
    *,
    backoff: Backoff | None = None,
    cancelled: threading.Event | None = None,
    show: Callable[[Retry], None] = lambda _: None,
) -> Lease:
    """Wait for the grant as ``backoff`` says; ``show`` is told of each wait before it begins.

    Raises :class:`BusyError` with the holder when all retries are used up or ``cancelled`` is set.
    """
    stop = cancelled or threading.Event()
    retries = (backoff or Backoff()).retries(lambda: holder_of(store, wanted.name))
    while (granted := try_acquire(store, clock, wanted)) is None:
        retry = next(retries, None)
        if retry is not None:
            show(retry)
        if retry is None or clock.wait(stop, retry.seconds):
            raise BusyError(wanted.name, holder_of(store, wanted.name))
    return granted


def holder_of(store: Store, name: str) -> str:
    """Who holds ``name``, for people: ``run 01J… (pid 123 on host) since …: purpose``."""
    lease = store.lease(name)
    if lease is None:
        return "nobody any more"
    session = store.session(lease.session)
    who = f"{session.kind} {session.id} (pid {session.pid} on {session.host})" if session else lease.session
    return f"{who} since {lease.acquired_at}" + (f": {lease.purpose}" if lease.purpose else "")


class HeldLease:
    """A grant in the hands of its holder, kept alive by a heartbeat. May be used from any thread.

    As a context manager it is given back at the end.

    ``lost`` is set once, when the grant is known to be gone; ``loss`` then says why.
    """

    def __init__(self, grant: Lease, clock: Clock, give_back: Callable[[HeldLease], bool]) -> None:
        self.name = grant.name
        self.token = grant.token
        self.lost = threading.Event()
        self.loss: LeaseLostError | None = None
        self._grant = grant
        self._clock = clock
        self._give_back = give_back

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> bool:
        """Give the lease back; False when it was no longer ours."""
        return self._give_back(self)

    @property
    def grant(self) -> Lease:
        """The grant with its newest expiry."""
        return self._grant

    def check(self) -> None:
        """Raise :class:`LeaseLostError` when the lease is lost, or has run out by this machine's clock."""
        if self.loss is not None:
            raise self.loss
        late = self._clock.monotonic() - self._grant.expires
        if late > 0:
            raise LeaseLostError(self.name, f"it ran out {late:.1f} s ago")

    def renew(self, store: Store, expires: float) -> bool:
        """Extend the grant to ``expires``; False, and lost, when the store knows it no more."""
        if store.renew(self._grant, expires=expires):
            self._grant = replace(self._grant, expires=expires)
            return True
        self.lose(f"it is now held by {holder_of(store, self.name)}")
        return False

    def lose(self, reason: str) -> LeaseLostError:
        """Note that the grant is gone; the first reason stays."""
        if self.loss is None:
            self.loss = LeaseLostError(self.name, reason)
        self.lost.set()
        return self.loss
