"""Leases, who waits for them, and what became of them, on SQLite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.store.leaserecords import Lease, LeaseNote, LeaseWait
from orchestrator.store.rules import grantable
from orchestrator.store.scopes import Scope, to_go
from orchestrator.store.sqlite.codec import Codec
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCOPED: Final = {"tuples": frozenset({"patterns"}), "words": {"scope": Scope}}
_LEASE: Final = Codec(Lease, **_SCOPED)  # type: ignore[arg-type]
_WAIT: Final = Codec(LeaseWait, **_SCOPED)  # type: ignore[arg-type]
_NOTE: Final = Codec(LeaseNote, **_SCOPED)  # type: ignore[arg-type]


class SqliteLeases(Tables):
    """See :class:`orchestrator.store.protocol.Leases`."""

    def grant(self, lease: Lease, *, now: float) -> Lease | None:
        """See the protocol. Durable: a token that was given once is never given again."""
        with self._db.transaction():
            held = self.leases(lease.name)
            if not grantable(held, lease, now):
                return None
            for gone in to_go(held, lease, now=now):
                self._db.query.change("leases.release", **_grant(gone))  # type: ignore[arg-type]
            row = self._db.query.row("leases.next_token", name=lease.name)
            assert row is not None
            granted = replace(lease, token=row["token"])
            self._db.query.change("leases.grant", **_LEASE.row(granted))
        return granted

    def renew(self, lease: Lease, *, expires: float) -> bool:
        """See the protocol. Not durable, as a beat is not."""
        with self._db.transaction(durable=False):
            return self._db.query.change("leases.renew", **_grant(lease), expires=expires) == 1

    def renew_all(self, session: str, *, boot: str, expires: float) -> int:
        """See the protocol. Not durable, as a beat is not."""
        with self._db.transaction(durable=False):
            return self._db.query.change("leases.renew_all", session=session, boot=boot, expires=expires)

    def release(self, lease: Lease) -> bool:
        """See the protocol."""
        with self._db.transaction():
            return self._db.query.change("leases.release", **_grant(lease)) == 1

    def lease(self, name: str) -> Lease | None:
        """See the protocol."""
        return self._one(_LEASE, "leases.get", name=name)

    def leases(self, name: str | None = None, *, session: str | None = None) -> Sequence[Lease]:
        """See the protocol."""
        return self._all(_LEASE, "leases.find", name=name, session=session)

    def add_wait(self, wait: LeaseWait) -> LeaseWait:
        """See the protocol. Not durable: after a power cut nobody waits."""
        with self._db.transaction(durable=False):
            return replace(wait, ticket=self._db.query.insert("leases.add_wait", **_WAIT.row(wait)))

    def keep_wait(self, ticket: int, *, expires: float) -> bool:
        """See the protocol."""
        with self._db.transaction(durable=False):
            return self._db.query.change("leases.keep_wait", ticket=ticket, expires=expires) == 1

    def drop_wait(self, ticket: int) -> bool:
        """See the protocol."""
        with self._db.transaction(durable=False):
            return self._db.query.change("leases.drop_wait", ticket=ticket) == 1

    def drop_waits_of(self, session: str) -> int:
        """See the protocol."""
        with self._db.transaction(durable=False):
            return self._db.query.change("leases.drop_waits_of", session=session)

    def waits(self, name: str | None = None) -> Sequence[LeaseWait]:
        """See the protocol."""
        return self._all(_WAIT, "leases.waits", name=name)

    def note_lease(self, note: LeaseNote) -> LeaseNote:
        """See the protocol. Not durable by itself: it goes with what it tells of."""
        with self._db.transaction(durable=False):
            return replace(note, sequence=self._db.query.insert("leases.add_note", **_NOTE.row(note)))

    def lease_notes(
        self, name: str | None = None, *, action: str | None = None, limit: int = 1000
    ) -> Sequence[LeaseNote]:
        """See the protocol."""
        return self._all(_NOTE, "leases.notes", name=name, action=action, limit=limit)


def _grant(lease: Lease) -> dict[str, Any]:
    return {"name": lease.name, "session": lease.session, "token": lease.token}
