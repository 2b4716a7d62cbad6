"""Which sessions are late, and which are dead: pure functions of what is known."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.states import SessionState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from orchestrator.store.leaserecords import Lease
    from orchestrator.store.records import Session


class Judgement(StrEnum):
    """What is to become of a session."""

    KEEP = "keep"
    STALE = "stale"
    END = "end"


def is_late(session: Session, *, now: float, boot: str) -> bool:
    """Whether its heartbeat is overdue: expired by monotonic time, or of another boot."""
    return session.boot != boot or now > session.expires


def judged(
    sessions: Iterable[Session], *, now: float, boot: str, dead: Collection[str]
) -> Mapping[str, Judgement]:
    """What is to become of each session; ``dead`` are the ids whose process is proven gone.

    Late but not proven dead is only stale: a process that was paused may wake up, and is never hurt.
    Proven dead needs no lateness: what cannot come back need not be waited for.
    """
    found: dict[str, Judgement] = {}
    for session in sessions:
        if session.state is SessionState.ENDED:
            found[session.id] = Judgement.KEEP
        elif session.id in dead:
            found[session.id] = Judgement.END
        elif session.state is SessionState.ACTIVE and is_late(session, now=now, boot=boot):
            found[session.id] = Judgement.STALE
        else:
            found[session.id] = Judgement.KEEP
    return found


def orphaned(
    leases: Iterable[Lease], sessions: Mapping[str, Session], *, now: float, boot: str
) -> Sequence[Lease]:
    """Leases that nobody can renew: too old, and of a session that has ended or is unknown. Both."""
    return [
        lease
        for lease in leases
        if (lease.boot != boot or now > lease.expires)
        and (lease.session not in sessions or sessions[lease.session].state is SessionState.ENDED)
    ]
