"""A process takes part: it is registered, beats, holds leases, and leaves.

Promised: while the handle is open and nothing is lost, the session is ``active`` in the store and its leases
are renewed. Not promised: that work stops by itself when something is lost; the worker watches ``lost`` or
calls ``check()`` before each step that only a holder may do.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Self

from orchestrator.clock import new_id
from orchestrator.errors import BusyError, LeaseLostError
from orchestrator.leases.acquiring import Manner, acquire
from orchestrator.leases.heartbeat import Heartbeat, Pace
from orchestrator.leases.lease import HeldLease, Wanted, holder_of, try_acquire
from orchestrator.leases.ledger import end
from orchestrator.sessions.cleanup import release_all
from orchestrator.sessions.identity import container, here, started
from orchestrator.sessions.turns import minding_the_dead
from orchestrator.states import SessionState
from orchestrator.store.records import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from orchestrator.clock import Clock
    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.protocol import Store


def start_session(
    store_factory: Callable[[], Store], clock: Clock, kind: str, *, note: str = "", pace: Pace | None = None
) -> SessionHandle:
    """Register this process as a session of ``kind`` (``run``, ``queue``, ``command``) and begin to beat.

    ``store_factory`` opens the store for the thread that calls it. Use the handle as a context manager.
    """
    pace = pace or Pace()
    now = clock.now()
    session = Session(
        id=new_id(),
        kind=kind,
        pid=os.getpid(),
        process_started=started(os.getpid()) or 0.0,
        host=here(),
        boot=clock.boot(),
        started_at=now,
        heartbeat_at=now,
        expires=clock.monotonic() + pace.expiry,
        parent_pid=os.getppid(),
        terminal=terminal(),
        container=container(),
        note=note,
    )
    with contextlib.closing(store_factory()) as store:
        store.add_session(session)
    return SessionHandle(session.id, store_factory, clock, pace)


class SessionHandle:
    """A session in the hands of its process; may be used from any thread.

    ``lost`` is set at the first loss, of the session itself or of any lease it holds; ``loss`` says which.
    """

    def __init__(self, key: str, store_factory: Callable[[], Store], clock: Clock, pace: Pace) -> None:
        self.id = key
        self.lost = threading.Event()
        self.loss: LeaseLostError | None = None
        self.open_store = self._store_factory = store_factory
        self._clock = self.clock = clock
        self._pace = pace
        self._task: str | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._heartbeat = Heartbeat(store_factory, clock, pace, pulse=self._pulse, on_loss=self._on_loss)
        self._heartbeat.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def hold(self, name: str, purpose: str = "") -> HeldLease:
        """Take the lease ``name`` now; :class:`BusyError` with its holder when it is held."""
        return self._take(name, lambda store: self._now_or_busy(store, self.wanted(name, purpose)))

    def wait_for(self, name: str, purpose: str = "", manner: Manner | None = None) -> HeldLease:
        """Take the lease ``name``, waiting as :func:`orchestrator.leases.acquiring.acquire` does."""
        return self.take(self.wanted(name, purpose), manner)

    def take(self, wanted: Wanted, manner: Manner | None = None) -> HeldLease:
        """Take ``wanted``, which :meth:`wanted` began, waiting as ``manner`` says."""
        manner = manner or Manner()

        def taken(store: Store) -> Lease:
            return acquire(store, self._clock, wanted, minding_the_dead(manner, store, self._clock))

        return self._take(wanted.name, taken)

    def _take(self, name: str, taken: Callable[[Store], Lease]) -> HeldLease:
        """Take ``name`` once in this process: the store would grant it to the same session again."""
        with self._lock:
            if name in self._names:
                raise BusyError(name, f"this session ({self.id})")
            self._names.add(name)
        try:
            with contextlib.closing(self._store_factory()) as store:
                held = HeldLease(taken(store), self._clock, self.release)
        except BaseException:
            self._forget(name)
            raise
        self._heartbeat.keep(held)
        return held

    def _now_or_busy(self, store: Store, wanted: Wanted) -> Lease:
        grant = try_acquire(store, self._clock, wanted)
        if grant is None:
            raise BusyError(wanted.name, holder_of(store, wanted.name))
        return grant

    def release(self, held: HeldLease) -> bool:
        """Give ``held`` back; False when it was no longer ours."""
        self._heartbeat.forget(held)
        try:
            with contextlib.closing(self._store_factory()) as store:
                return end(store, self._clock, held.grant)
        finally:
            self._forget(held.name)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._names.discard(name)

    def check(self) -> None:
        """Raise the first :class:`LeaseLostError` of this session or of a lease that it holds."""
        if self.loss is not None:
            raise self.loss
        for held in self._heartbeat.kept():
            held.check()

    def require_alive(self) -> None:
        """Raise the :class:`LeaseLostError` of this session itself; a lost lease is its holder's affair."""
        if self.loss is not None and not self.is_alive():
            raise self.loss

    def is_alive(self) -> bool:
        """Whether the session itself has not been lost."""
        return self.loss is None or not _is_of_session(self.loss)

    def work_on(self, task: str) -> None:
        """Name the task that the next heartbeat shows others; an empty one for none."""
        self._task = task

    def end(self) -> None:
        """Stop beating, give back all leases, end the session; harmless when called twice."""
        if self._ended:
            return
        self._heartbeat.stop()
        with contextlib.closing(self._store_factory()) as store, store.transaction():
            release_all(store, self._clock, self.id)
            session = store.session(self.id)
            if session is not None and session.state is not SessionState.ENDED:
                store.move_session(session, SessionState.ENDED, ended_at=self._clock.now(), children=())
        self._ended = True

    def wanted(self, name: str, purpose: str = "") -> Wanted:
        """What this session would ask for."""
        return Wanted(name, self.id, purpose, self._pace.expiry)

    def _pulse(self, store: Store, expires: float) -> LeaseLostError | None:
        at = self._clock.now()
        if store.beat(self.id, expires=expires, at=at, task=self._task):
            store.renew_all(self.id, boot=self._clock.boot(), expires=expires)  # others may hold in its name
            return None
        session = store.session(self.id)
        if session is None or session.state is SessionState.ENDED:
            return LeaseLostError(f"session {self.id}", "it was ended by another process")
        # Found stale after a pause, and nobody has ended us: back to life. Each lease is looked at by itself.
        store.move_session(session, SessionState.ACTIVE, expires=expires, heartbeat_at=at)
        return None

    def _on_loss(self, loss: LeaseLostError) -> None:
        if self.loss is None or _is_of_session(loss):  # a lost lease must not hide that the session is lost
            self.loss = loss
        self.lost.set()


def _is_of_session(loss: LeaseLostError) -> bool:
    return "session" in loss.name.split()[:2]


def terminal() -> str:
    """The terminal that this process is at, or an empty text."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError, AttributeError):  # no terminal there, or no such thing (Windows)
            return os.ttyname(descriptor)
    return ""
