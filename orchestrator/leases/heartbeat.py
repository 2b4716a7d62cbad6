"""One thread that keeps a session and its leases alive, and tells at once when it cannot.

Every 3 s ± 20 % (so that many sessions do not beat in step) it beats the session and renews each lease for
60 s more. A row that has vanished is a loss at once; so is a sixth failure in a row (a store that cannot be
reached), well before the 60 s are over. A loss is a :class:`LeaseLostError` given to ``on_loss``, and the
``lost`` event of the lease.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.clock import jitter
from orchestrator.errors import LeaseLostError
from orchestrator.leases.lease import EXPIRY
from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.clock import Clock
    from orchestrator.leases.lease import HeldLease
    from orchestrator.store.protocol import Store
    from plans.project import ProjectSettings


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between beats and until expiry, the share of jitter, and the failures that are borne."""

    every: float = 3.0
    spread: float = 0.2
    expiry: float = EXPIRY
    failures: int = 5


def pace_of(settings: ProjectSettings) -> Pace:
    """As ``leases:`` of ``planctl.yaml`` says; four beats at least fit into the time that a lease lasts."""
    expiry = settings.leases_expiry
    return Pace(every=min(settings.leases_heartbeat, expiry / 4), expiry=expiry)


class Heartbeat:
    """Keeps leases until they are let go or lost; ``pulse`` beats the session that holds them.

    ``pulse`` takes a store and the new expiry and gives the session's loss, or None while it lives.
    ``on_loss`` is called in the heartbeat's thread, for each loss; it should set an event, no more.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        clock: Clock,
        pace: Pace,
        *,
        pulse: Callable[[Store, float], LeaseLostError | None],
        on_loss: Callable[[LeaseLostError], None],
    ) -> None:
        self._open_store = open_store
        self._clock = clock
        self._pace = pace
        self._pulse = pulse
        self._on_loss = on_loss
        self._kept: dict[str, HeldLease] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="planctl-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat; the first beat comes after one pause."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; returns when a beat that is under way is done."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def keep(self, held: HeldLease) -> None:
        """Renew ``held`` from now on."""
        with self._lock:
            self._kept[held.name] = held

    def forget(self, held: HeldLease) -> None:
        """Renew ``held`` no more."""
        with self._lock:
            if self._kept.get(held.name) is held:
                del self._kept[held.name]

    def kept(self) -> list[HeldLease]:
        """The leases that are being renewed."""
        with self._lock:
            return list(self._kept.values())

    def _run(self) -> None:
        store: Store | None = None
        try:
            while not self._clock.wait(self._stopped, jitter(self._pace.every, self._pace.spread)):
                store = self.round(store)
        except BaseException as error:
            self._lose_all(LeaseLostError("the session", f"its heartbeat broke down: {error!r}"))
            raise
        finally:
            if store is not None:
                store.close()

    def round(self, store: Store | None) -> Store | None:
        """One beat over ``store`` (opened when None); return the store for the next, None after a failure."""
        try:
            store = store or self._open_store()
            self._beat(store)
        except (PlanctlError, OSError) as error:
            self._failures += 1
            if self._failures > self._pace.failures:
                reason = f"{self._failures} heartbeats failed, the last one with: {error}"
                self._lose_all(LeaseLostError("the session", reason))
            if store is not None:
                store.close()
            return None
        self._failures = 0
        return store

    def _beat(self, store: Store) -> None:
        expires = self._clock.monotonic() + self._pace.expiry
        loss = self._pulse(store, expires)
        if loss is not None:
            self._lose_all(loss)
            return
        for held in self.kept():
            if not held.renew(store, expires):
                self._drop(held)

    def _drop(self, held: HeldLease) -> None:
        """Tell of the loss of ``held``, unless its holder has given it back meanwhile."""
        with self._lock:
            mine = self._kept.pop(held.name, None)
        if mine is held and held.loss is not None:
            self._on_loss(held.loss)

    def _lose_all(self, loss: LeaseLostError) -> None:
        self._stopped.set()
        self._on_loss(loss)
        for held in self.kept():
            held.lose(loss.reason)
            self._drop(held)
