"""Which watchdog is at work: the one that holds the lease ``watchdog``, under a token that rises.

Promise: of the sessions of one store one at most is the watchdog; one whose process is proven dead is
followed at once, one that is stopped or hangs when its lease has run out. Not promised: that a watchdog
which was stopped notices at once. It looks at the store before each thing that it does
(:meth:`Tenure.check`), and what it writes there it writes in a transaction that looks first; a signal that it
sends in the moment between is for a process that is proven to be left over, whoever ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import BusyError, SweepStoppedError
from orchestrator.events import EventName
from orchestrator.sessions.cleanup import bury
from orchestrator.store.scopes import is_over

if TYPE_CHECKING:
    import threading

    from orchestrator.clock import Clock
    from orchestrator.leases.lease import HeldLease
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.protocol import Store

LEASE: Final = "watchdog"
PAUSED: Final = "watchdog.paused"


@dataclass(frozen=True, slots=True)
class Tenure:
    """The time for which this process is the watchdog; ``ended`` is set when it is to stop."""

    held: HeldLease
    store: Store
    ended: threading.Event

    def check(self) -> None:
        """Raise SweepStoppedError or LeaseLostError unless the next thing may be done."""
        if self.ended.is_set():
            raise SweepStoppedError("it was asked to end")
        why = paused(self.store)
        if why is not None:
            raise SweepStoppedError(f"watchdogs are paused: {why}")
        self.held.check()
        self.held.verify(self.store, "another watchdog has taken over")


def stand(session: SessionHandle, store: Store) -> HeldLease | None:
    """Be the watchdog from now on; None while another one is."""
    before = store.lease(LEASE)
    if before is not None:
        bury(store, session.clock, [before.session])
        if _is_at_work(store.lease(LEASE), session.clock):
            return None
    try:
        held = session.hold(LEASE, "looks after what crashed sessions leave")
    except BusyError:
        return None  # another one was faster
    if before is not None:
        at, token = session.clock.now(), held.token
        store.emit(
            EventName.WATCHDOG_TOOK_OVER, at=at, session=session.id, token=token, previous=before.session
        )
    return held


def _is_at_work(lease: Lease | None, clock: Clock) -> bool:
    return lease is not None and not is_over(lease, now=clock.monotonic(), boot=clock.boot())


def at_work(store: Store, clock: Clock) -> dict[str, Any] | None:
    """The watchdog under the names of the contract, or None; ``alive`` is False for one that hangs.

    ``paused`` says why it may do nothing.
    """
    lease = store.lease(LEASE)
    session = None if lease is None else store.session(lease.session)
    if lease is None or session is None:
        return None
    return {
        "session": session.id,
        "kind": session.kind,
        "pid": session.pid,
        "host": session.host,
        "since": lease.acquired_at,
        "token": lease.token,
        "alive": _is_at_work(lease, clock),
        "paused": paused(store),
    }


def paused(store: Store) -> str | None:
    """Why no watchdog may do anything, or None."""
    return store.value(PAUSED)


def pause(store: Store, clock: Clock, why: str | None) -> None:
    """Let no watchdog do anything, those at work included; with None, let them go on."""
    with store.transaction():
        store.set_value(PAUSED, why)
        name = EventName.WATCHDOG_RESUMED if why is None else EventName.WATCHDOG_PAUSED
        store.emit(name, at=clock.now(), why=why)
