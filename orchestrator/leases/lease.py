"""A lease is taken, checked and given back. How it is waited for is in :mod:`orchestrator.leases.acquiring`.

Promised: of the sessions that ask the same store for one name, no two are granted what excludes each other
(``store/scopes.py``: to write, one at most); each grant has a token greater than all before it; a holder that
dies loses it when its time is over (``EXPIRY`` seconds) or at once when its death is proven or the machine
boots anew. Only monotonic time of one boot
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

from orchestrator.errors import LeaseLostError
from orchestrator.leases.ledger import grant, note_loss
from orchestrator.store.leaserecords import Lease
from orchestrator.store.scopes import Scope, is_over, is_replaced, stands_against

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.scopes import Claim

EXPIRY: Final = 60.0
"""Seconds that a grant lasts without a renewal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: ``name`` for ``session``, and what it is needed for, to be shown to others.

    ``patterns`` are the files that are meant, none for all of the name.
    """

    name: str
    session: str
    purpose: str = ""
    expiry: float = EXPIRY
    scope: Scope = Scope.WRITE
    branch: str = ""
    patterns: tuple[str, ...] = ()
    priority: float = 50


def asked_lease(clock: Clock, wanted: Wanted) -> Lease:
    """The lease that would be granted now; its token is drawn by the store."""
    now = clock.monotonic()
    return Lease(
        name=wanted.name,
        session=wanted.session,
        token=0,
        boot=clock.boot(),
        expires=now + wanted.expiry,
        acquired_at=clock.now(),
        purpose=wanted.purpose,
        scope=wanted.scope,
        branch=wanted.branch,
        patterns=wanted.patterns,
        since=now,
    )


def _none(_store: Store) -> Sequence[Lease]:
    return ()


def try_acquire(
    store: Store, clock: Clock, wanted: Wanted, beside: Callable[[Store], Sequence[Lease]] = _none
) -> Lease | None:
    """The grant, or None when another session's is in the way, or waits for it.

    ``beside`` are rights that are in no table of grants (see ``Manner``): they are in the way as well.
    """
    with store.transaction():
        lease = asked_lease(clock, wanted)
        others: list[Claim] = [*store.waits(wanted.name), *beside(store)]
        if not _has_it(store.leases(wanted.name), lease) and any(
            stands_against(other, lease) and not is_over(other, now=lease.since, boot=lease.boot)
            for other in others
        ):
            return None
        return grant(store, clock, lease)


def _has_it(held: Sequence[Lease], wanted: Lease) -> bool:
    """Whether its session holds the same already: it need not stand behind those who wait for it."""
    return any(
        is_replaced(lease, wanted)
        and lease.scope in {Scope.WRITE, wanted.scope}
        and not is_over(lease, now=wanted.since, boot=wanted.boot)
        for lease in held
    )


def holder_of(store: Store, name: str) -> str:
    """Who holds ``name``, for people: ``run 01J… (pid 123 on host) since …: purpose``."""
    lease = store.lease(name)
    if lease is None:
        return "nobody any more"
    return f"{who(store, lease.session)} since {lease.acquired_at}" + (
        f": {lease.purpose}" if lease.purpose else ""
    )


def who(store: Store, key: str) -> str:
    """A session, for people."""
    session = store.session(key)
    return f"{session.kind} {session.id} (pid {session.pid} on {session.host})" if session else key


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

    def verify(self, store: Store, otherwise: str) -> None:
        """Raise LeaseLostError unless the store knows this very grant; for a write: in its transaction."""
        known = store.lease(self.name)
        if known is None or (known.session, known.token) != (self._grant.session, self.token):
            raise self.lose(otherwise)

    def renew(self, store: Store, expires: float) -> bool:
        """Extend the grant to ``expires``; False, and lost, when the store knows it no more."""
        if store.renew(self._grant, expires=expires):
            self._grant = replace(self._grant, expires=expires)
            return True
        loss = self.lose(f"it is now held by {holder_of(store, self.name)}")
        note_loss(store, self._clock, self._grant, loss.reason)
        return False

    def lose(self, reason: str) -> LeaseLostError:
        """Note that the grant is gone; the first reason stays."""
        if self.loss is None:
            self.loss = LeaseLostError(self.name, reason)
        self.lost.set()
        return self.loss
