"""Leases, who waits for them, and what became of them, in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.store.memory.tables import Tables
from orchestrator.store.rules import grantable
from orchestrator.store.scopes import to_go

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.leaserecords import Lease, LeaseNote, LeaseWait


class MemoryLeases(Tables):
    """See :class:`orchestrator.store.protocol.Leases`."""

    def grant(self, lease: Lease, *, now: float) -> Lease | None:
        """See the protocol."""
        with self._lock:
            held = self.leases(lease.name)
            if not grantable(held, lease, now):
                return None
            for gone in to_go(held, lease, now=now):
                del self._writing("leases")[_key(gone)]  # type: ignore[arg-type]
            granted = replace(lease, token=self._next(f"token of {lease.name}"))
            self._writing("leases")[_key(granted)] = granted
            return granted

    def renew(self, lease: Lease, *, expires: float) -> bool:
        """See the protocol."""
        with self._lock:
            current = self._held(lease)
            if current is None:
                return False
            self._writing("leases")[_key(lease)] = replace(current, expires=expires)
            return True

    def renew_all(self, session: str, *, boot: str, expires: float) -> int:
        """See the protocol."""
        with self._lock:
            found = [lease for lease in self.leases(session=session) if lease.boot == boot]
            for lease in found:
                self.renew(lease, expires=max(lease.expires, expires))
            return len(found)

    def release(self, lease: Lease) -> bool:
        """See the protocol."""
        with self._lock:
            if self._held(lease) is None:
                return False
            del self._writing("leases")[_key(lease)]
            return True

    def _held(self, lease: Lease) -> Lease | None:
        current: Lease | None = self._one("leases", _key(lease))
        return current if current is not None and current.session == lease.session else None

    def lease(self, name: str) -> Lease | None:
        """See the protocol."""
        return next(iter(self.leases(name)), None)

    def leases(self, name: str | None = None, *, session: str | None = None) -> Sequence[Lease]:
        """See the protocol."""
        found = self._all("leases", lambda one: name in {None, one.name} and session in {None, one.session})
        return sorted(found, key=lambda lease: lease.name)

    def add_wait(self, wait: LeaseWait) -> LeaseWait:
        """See the protocol."""
        with self._lock:
            standing = replace(wait, ticket=self._next("tickets"))
            self._writing("lease_waits")[standing.ticket] = standing
            return standing

    def keep_wait(self, ticket: int, *, expires: float) -> bool:
        """See the protocol."""
        with self._lock:
            wait = self._one("lease_waits", ticket)
            if wait is None:
                return False
            self._writing("lease_waits")[ticket] = replace(wait, expires=expires)
            return True

    def drop_wait(self, ticket: int) -> bool:
        """See the protocol."""
        with self._lock:
            return self._writing("lease_waits").pop(ticket, None) is not None

    def drop_waits_of(self, session: str) -> int:
        """See the protocol."""
        with self._lock:
            return sum(self.drop_wait(wait.ticket) for wait in self.waits() if wait.session == session)

    def waits(self, name: str | None = None) -> Sequence[LeaseWait]:
        """See the protocol."""
        return self._all("lease_waits", lambda wait: name in {None, wait.name})

    def note_lease(self, note: LeaseNote) -> LeaseNote:
        """See the protocol."""
        with self._lock:
            numbered = replace(note, sequence=self._next("lease notes"))
            self._writing("lease_notes")[numbered.sequence] = numbered
            return numbered

    def lease_notes(
        self, name: str | None = None, *, action: str | None = None, limit: int = 1000
    ) -> Sequence[LeaseNote]:
        """See the protocol."""
        found = self._all(
            "lease_notes", lambda note: name in {None, note.name} and action in {None, note.action}
        )
        return found[::-1][:limit]


def _key(lease: Lease) -> tuple[str, int]:
    return lease.name, lease.token
