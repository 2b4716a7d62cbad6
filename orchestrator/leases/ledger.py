"""Every grant and every end of one is written down, in the transaction that makes it so.

The log answers what people ask after the fact (who had it, for how long, who took it away), and the seconds
in it are what the next wait is estimated by. The names of the actions are stable. A holder that loses its
lease without having given it back is told by the event ``lease.lost`` too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName
from orchestrator.store.leaserecords import LeaseNote
from orchestrator.store.records import Message
from orchestrator.store.scopes import Scope, is_replaced, to_go

if TYPE_CHECKING:
    from orchestrator.clock import Clock
    from orchestrator.store.leaserecords import Lease, LeaseWait
    from orchestrator.store.protocol import Store

_SPELLS: Final = 20


class Action(StrEnum):
    """What became of a lease, or of the wait for one."""

    GRANTED = "granted"
    RELEASED = "released"
    REPLACED = "replaced"
    """Its session was granted the same again."""
    EXPIRED = "expired"
    """Its time ran out, and somebody else was granted what it was in the way of."""
    BROKEN = "broken"
    """A person took it away."""
    ENDED = "ended"
    """Its session ended, by itself or because its process is dead."""
    LOST = "lost"
    """Its holder found that it has it no more."""
    GAVE_UP = "gave-up"
    """Waited in vain."""
    DEADLOCK = "deadlock"
    """Gave way, since all waited for each other."""


_TAKEN: Final = frozenset({Action.EXPIRED, Action.BROKEN, Action.ENDED})


def grant(store: Store, clock: Clock, wanted: Lease, *, waited: float = 0.0) -> Lease | None:
    """Grant ``wanted`` and write it down; None when another session's is in the way."""
    now = clock.monotonic()
    with store.transaction():
        gone = to_go(store.leases(wanted.name), wanted, now=now)
        granted = store.grant(wanted, now=now)
        if granted is None:
            return None
        for lease in gone:
            action = Action.REPLACED if is_replaced(lease, wanted) else Action.EXPIRED
            _ended(store, clock, lease, action, f"{wanted.session} has it now")  # type: ignore[arg-type]
        store.note_lease(_note(clock, granted, Action.GRANTED, seconds=waited, detail=granted.purpose))
    return granted


def end(store: Store, clock: Clock, lease: Lease, action: Action = Action.RELEASED, detail: str = "") -> bool:
    """End exactly this grant and write it down; False when it was no longer held."""
    with store.transaction():
        if not store.release(lease):
            return False
        _ended(store, clock, lease, action, detail)
    return True


def note_loss(store: Store, clock: Clock, lease: Lease, reason: str) -> None:
    """Write down that the holder of ``lease`` has found out."""
    store.note_lease(_note(clock, lease, Action.LOST, seconds=None, detail=reason))


def note_wait(store: Store, clock: Clock, wait: LeaseWait, action: Action, detail: str) -> None:
    """Write down how a wait ended that did not end with a grant."""
    store.note_lease(_note(clock, wait, action, seconds=clock.monotonic() - wait.asked, detail=detail))


def spells(store: Store, name: str) -> dict[Scope, list[float]]:
    """How long the name was held of late, by scope."""
    found: dict[Scope, list[float]] = {scope: [] for scope in Scope}
    for note in store.lease_notes(name, action=Action.RELEASED, limit=_SPELLS):
        if note.seconds is not None:
            found[note.scope].append(note.seconds)
    return found


def _ended(store: Store, clock: Clock, lease: Lease, action: Action, detail: str) -> None:
    same_boot = lease.boot == clock.boot() and lease.since
    seconds = clock.monotonic() - lease.since if same_boot else None
    store.note_lease(_note(clock, lease, action, seconds=seconds, detail=detail))
    if action in _TAKEN:
        taken = f"your lease on {lease.name} (token {lease.token}) is gone, {action.value}: {detail}"
        store.add_message(Message(clock.now(), "planctl", lease.session, taken))
        store.emit(
            EventName.LEASE_LOST,
            at=clock.now(),
            name=lease.name,
            session=lease.session,
            token=lease.token,
            files=list(lease.patterns),
            action=action.value,
            detail=detail,
        )


def _note(
    clock: Clock, one: Lease | LeaseWait, action: Action, *, seconds: float | None, detail: str
) -> LeaseNote:
    return LeaseNote(
        at=clock.now(),
        action=action.value,
        name=one.name,
        scope=one.scope,
        branch=one.branch,
        patterns=one.patterns,
        session=one.session,
        token=getattr(one, "token", 0),
        seconds=seconds,
        detail=detail,
    )
