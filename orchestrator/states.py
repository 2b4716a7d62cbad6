"""The states of everything that lives, and which may follow which. A move outside its table is a bug."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.errors import IllegalTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class SessionState(StrEnum):
    """A living process that does work."""

    ACTIVE = "active"
    STALE = "stale"
    ENDED = "ended"


class RunState(StrEnum):
    """One ``run-multi``. ``interrupted``: ended by a signal or found dead; ``resume`` goes on."""

    ACTIVE = "active"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


class AttemptState(StrEnum):
    """One execution of one plan in a run. ``deferred``: its command asked to be run again later."""

    PENDING = "pending"
    WAITING = "waiting"
    PREPARING = "preparing"
    RUNNING = "running"
    DEFERRED = "deferred"
    PREPARED = "prepared"
    FINISHED = "finished"
    QUEUED = "queued"
    LANDED = "landed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    CONFLICTED = "conflicted"
    REJECTED = "rejected"
    LOST = "lost"


class EntryState(StrEnum):
    """A branch head in the merge queue."""

    QUEUED = "queued"
    MERGING = "merging"
    CHECKING = "checking"
    LANDING = "landing"
    LANDED = "landed"
    BLOCKED = "blocked"
    HELD = "held"
    CONFLICTED = "conflicted"
    RESOLVING = "resolving"
    REJECTED = "rejected"
    DROPPED = "dropped"


class IntentState(StrEnum):
    """A landing about to be made: ``open`` until its outcome is known."""

    OPEN = "open"
    DONE = "done"
    SUPERSEDED = "superseded"


class TaskState(StrEnum):
    """A task of a plan: a numbered checkbox of its body."""

    OPEN = "open"
    CLAIMED = "claimed"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class DeliveryState(StrEnum):
    """One notification on its way through one channel.

    ``unknown``: who sent it died at it, and it is not sent again.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class SlotState(StrEnum):
    """A worktree of the pool."""

    FREE = "free"
    LEASED = "leased"
    RESCUING = "rescuing"
    QUARANTINED = "quarantined"
    BROKEN = "broken"
    REMOVED = "removed"


S = SessionState
R = RunState
A = AttemptState
E = EntryState
I = IntentState  # noqa: E741 - the table below reads better with one letter each
L = SlotState
T = TaskState
D = DeliveryState

SESSION: Final[Mapping[S, frozenset[S]]] = {
    S.ACTIVE: frozenset({S.STALE, S.ENDED}),
    S.STALE: frozenset({S.ACTIVE, S.ENDED}),
    S.ENDED: frozenset({S.ACTIVE}),  # only of an agent that comes back under its own name
}
RUN: Final[Mapping[R, frozenset[R]]] = {
    R.ACTIVE: frozenset({R.INTERRUPTED, R.FINISHED}),
    R.INTERRUPTED: frozenset({R.ACTIVE, R.FINISHED}),
    R.FINISHED: frozenset({R.ACTIVE}),
}
ATTEMPT: Final[Mapping[A, frozenset[A]]] = {
    A.PENDING: frozenset({A.WAITING, A.PREPARING, A.CANCELLED, A.LANDED, A.FAILED}),
    A.WAITING: frozenset({A.PREPARING, A.CANCELLED, A.LANDED, A.FAILED}),
    A.PREPARING: frozenset({A.RUNNING, A.PREPARED, A.WAITING, A.DEFERRED, A.FAILED, A.CANCELLED, A.LOST}),
    A.RUNNING: frozenset({A.FINISHED, A.FAILED, A.TIMED_OUT, A.CANCELLED, A.LOST, A.DEFERRED}),
    A.DEFERRED: frozenset({A.PREPARING, A.FAILED, A.CANCELLED}),
    A.PREPARED: frozenset({A.QUEUED, A.CANCELLED, A.LOST}),
    A.FINISHED: frozenset({A.QUEUED, A.LANDED, A.CANCELLED}),
    A.QUEUED: frozenset({A.LANDED, A.CONFLICTED, A.REJECTED, A.CANCELLED}),
    A.CONFLICTED: frozenset({A.QUEUED, A.CANCELLED, A.LANDED}),
    A.REJECTED: frozenset({A.QUEUED, A.CANCELLED, A.LANDED}),
    A.LANDED: frozenset(),
    A.FAILED: frozenset(),
    A.TIMED_OUT: frozenset(),
    A.CANCELLED: frozenset(),
    A.LOST: frozenset(),
}
ENTRY: Final[Mapping[E, frozenset[E]]] = {
    E.QUEUED: frozenset({E.MERGING, E.LANDED, E.BLOCKED, E.HELD, E.CONFLICTED, E.REJECTED, E.DROPPED}),
    E.MERGING: frozenset(
        {
            *(E.CHECKING, E.LANDING, E.LANDED, E.BLOCKED, E.CONFLICTED, E.RESOLVING, E.HELD),
            *(E.REJECTED, E.QUEUED),
        }
    ),
    E.CHECKING: frozenset({E.LANDING, E.REJECTED, E.QUEUED, E.HELD}),
    E.LANDING: frozenset({E.LANDED, E.QUEUED, E.BLOCKED, E.HELD}),
    E.BLOCKED: frozenset({E.QUEUED, E.LANDED, E.DROPPED}),
    E.HELD: frozenset({E.QUEUED, E.LANDED, E.DROPPED}),
    E.CONFLICTED: frozenset({E.QUEUED, E.RESOLVING, E.LANDED, E.DROPPED}),
    E.RESOLVING: frozenset({E.QUEUED, E.CONFLICTED, E.DROPPED}),
    E.REJECTED: frozenset({E.QUEUED, E.LANDED, E.DROPPED}),
    E.DROPPED: frozenset({E.QUEUED, E.LANDED}),
    E.LANDED: frozenset({E.QUEUED}),  # only when somebody has taken it off the target again, by a reset
}
INTENT: Final[Mapping[I, frozenset[I]]] = {
    I.OPEN: frozenset({I.DONE, I.SUPERSEDED}),
    I.DONE: frozenset(),
    I.SUPERSEDED: frozenset(),
}
SLOT: Final[Mapping[L, frozenset[L]]] = {
    L.FREE: frozenset({L.LEASED, L.BROKEN, L.REMOVED}),
    L.LEASED: frozenset({L.RESCUING, L.BROKEN, L.QUARANTINED}),
    L.RESCUING: frozenset({L.FREE, L.QUARANTINED, L.BROKEN}),
    L.QUARANTINED: frozenset({L.RESCUING, L.FREE, L.REMOVED}),
    L.BROKEN: frozenset({L.RESCUING, L.FREE, L.REMOVED}),
    L.REMOVED: frozenset({L.FREE}),
}

TASK: Final[Mapping[T, frozenset[T]]] = {
    T.OPEN: frozenset({T.CLAIMED}),
    T.CLAIMED: frozenset({T.IN_PROGRESS, T.COMPLETED, T.OPEN, T.CLAIMED}),  # again: by another, or by force
    T.IN_PROGRESS: frozenset({T.COMPLETED, T.OPEN, T.CLAIMED}),
    T.COMPLETED: frozenset({T.CLAIMED}),  # by force
}

DELIVERY: Final[Mapping[D, frozenset[D]]] = {
    D.PENDING: frozenset({D.SENDING, D.EXPIRED}),
    D.SENDING: frozenset({D.SENT, D.PENDING, D.FAILED, D.UNKNOWN}),
    D.SENT: frozenset(),
    D.FAILED: frozenset(),
    D.UNKNOWN: frozenset(),
    D.EXPIRED: frozenset(),
}

_State = TypeVar("_State", S, R, A, E, I, L, T, D)

TERMINAL_ATTEMPTS: Final = frozenset({A.LANDED, A.FAILED, A.TIMED_OUT, A.CANCELLED, A.LOST})
"""Never moved again; a retry is a new attempt."""
LIVING_SESSIONS: Final = frozenset({S.ACTIVE, S.STALE})
"""Have not ended, as far as the store knows."""
WORKING_ATTEMPTS: Final = frozenset({A.PREPARING, A.RUNNING})
"""Take one of the ``jobs`` places and hold their resources."""
WORKTREE_ATTEMPTS: Final = frozenset({A.RUNNING, A.DEFERRED, A.PREPARED})
"""Their work is in a worktree, and may be half done."""
PLACED_ATTEMPTS: Final = WORKING_ATTEMPTS | {A.DEFERRED}
"""Their worktree is theirs: nobody else changes or removes it."""
SUPERSEDED_ATTEMPTS: Final = frozenset({A.DEFERRED, A.FINISHED, A.CONFLICTED, A.REJECTED})
"""Of a run that nobody conducts: they give way to an attempt at the same plan in another run."""
ACTIVE_ATTEMPTS: Final = PLACED_ATTEMPTS | {A.PREPARED, A.FINISHED, A.QUEUED}
"""Have begun and not yet come to an end: what overlaps with them waits."""
OPEN_ENTRIES: Final = frozenset({E.QUEUED, E.MERGING, E.CHECKING, E.LANDING, E.BLOCKED, E.HELD})
"""Still to be landed; what a resolver has at work comes back as another head."""
MOVING_ENTRIES: Final = frozenset({E.QUEUED, E.MERGING, E.CHECKING, E.LANDING, E.RESOLVING})
"""Go on by themselves; the other open ones wait for a person or for the target to move."""


def require_transition(
    table: Mapping[_State, frozenset[_State]], source: _State, target: _State, kind: str
) -> None:
    """Raise :class:`IllegalTransitionError` unless ``target`` may follow ``source``."""
    if target not in table[source]:
        raise IllegalTransitionError(kind, source, target)
