"""What a store can do. SQLite and memory implement it; one contract suite holds both to it.

A store is opened per thread. ``move_*`` are guarded writes: they take the record as it was read and fail
with :class:`~orchestrator.errors.StaleRecordError` when its state or version has changed since; a move
outside the transition table raises :class:`~orchestrator.errors.IllegalTransitionError`, a change of what a
record is (its id, an attempt's run, an entry's sequence) ValueError.
Inside ``transaction()`` nobody else writes, and all of it happens or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestrator.store.deliveryrecords import Deliveries
from orchestrator.store.looks import Looks
from orchestrator.store.measures import Measures
from orchestrator.store.taskrecords import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from orchestrator.states import AttemptState, EntryState, IntentState, RunState, SessionState, SlotState
    from orchestrator.store.leaserecords import Lease, LeaseNote, LeaseWait
    from orchestrator.store.records import (
        Attempt,
        Entry,
        Intent,
        Message,
        PhaseDone,
        RunRecord,
        Session,
        Slot,
        StoredEvent,
        Verdict,
    )


class Sessions(Protocol):
    """Living processes."""

    def add_session(self, session: Session) -> None:
        """Insert; StaleRecordError when the id is taken."""

    def session(self, key: str) -> Session | None:
        """One session, or None."""

    def sessions(self, states: Collection[SessionState] | None = None) -> Sequence[Session]:
        """All, or those in ``states``, oldest first."""

    def move_session(self, session: Session, to: SessionState, **changes: Any) -> Session:
        """Guarded move; returns the record as it is now."""

    def update_session(self, session: Session, **changes: Any) -> Session:
        """Guarded write within the same state."""

    def beat(self, key: str, *, expires: float, at: str, task: str | None = None) -> bool:
        """Record a heartbeat of an active session; False when there is no such row (any more)."""

    def add_message(self, message: Message) -> Message:
        """Leave a message for a session; returns it with its number."""

    def unread(self, receiver: str) -> Sequence[Message]:
        """What a session has not read yet, in order."""

    def mark_read(self, receiver: str, *, sequence: int, at: str) -> int:
        """It has read all up to that number; returns how many there were."""


class Leases(Protocol):
    """Named rights. Mutual exclusion here is for saving work; safety comes from the token."""

    def grant(self, lease: Lease, *, now: float) -> Lease | None:
        """Grant ``lease`` and return it with its new token, or None when another session's is in the way.

        See :mod:`orchestrator.store.scopes`. What has expired (``now`` past ``expires``, or another boot) is
        in nobody's way, and ends when it would be; so does what this session held of the same. The token
        rises with each grant of the name.
        """

    def renew(self, lease: Lease, *, expires: float) -> bool:
        """Extend exactly this grant (name, session and token); False when it is no longer held."""

    def renew_all(self, session: str, *, boot: str, expires: float) -> int:
        """Extend all that the session holds, to ``expires`` at least; return how many that are."""

    def release(self, lease: Lease) -> bool:
        """End exactly this grant; False when it was no longer held."""

    def lease(self, name: str) -> Lease | None:
        """The current grant, expired or not; the oldest where several share the name."""

    def leases(self, name: str | None = None, *, session: str | None = None) -> Sequence[Lease]:
        """All current grants (of one name, of one session), by name, then oldest first."""

    def add_wait(self, wait: LeaseWait) -> LeaseWait:
        """Stand in line; returns the wait with its ticket, which rises."""

    def keep_wait(self, ticket: int, *, expires: float) -> bool:
        """Go on waiting; False when there is no such wait (any more)."""

    def drop_wait(self, ticket: int) -> bool:
        """Wait no more; False when there was no such wait."""

    def drop_waits_of(self, session: str) -> int:
        """Wait no more for anything; return how many waits there were."""

    def waits(self, name: str | None = None) -> Sequence[LeaseWait]:
        """Who waits, by ticket, expired or not."""

    def note_lease(self, note: LeaseNote) -> LeaseNote:
        """Add a line to the log of leases; returns it with its number."""

    def lease_notes(
        self, name: str | None = None, *, action: str | None = None, limit: int = 1000
    ) -> Sequence[LeaseNote]:
        """Lines that match, newest first."""


class Runs(Protocol):
    """Runs and the attempts in them."""

    def add_run(self, run: RunRecord) -> None:
        """Insert; StaleRecordError when the id is taken."""

    def run(self, key: str) -> RunRecord | None:
        """One run, or None."""

    def runs(self, states: Collection[RunState] | None = None) -> Sequence[RunRecord]:
        """All, or those in ``states``, oldest first."""

    def move_run(self, run: RunRecord, to: RunState, **changes: Any) -> RunRecord:
        """Guarded move."""

    def add_attempt(self, attempt: Attempt) -> None:
        """Insert. One attempt at a plan in a run at a time, and numbers are unique.

        StaleRecordError when the id or (run, plan, number) is taken, or another attempt at the plan in this
        run has not come to its end; UnknownRecordError without its run.
        """

    def attempt(self, key: str) -> Attempt | None:
        """One attempt, or None."""

    def attempts(
        self,
        *,
        run: str | None = None,
        plan: str | None = None,
        states: Collection[AttemptState] | None = None,
    ) -> Sequence[Attempt]:
        """Those that match all that is given, oldest first."""

    def latest_attempts(self) -> Sequence[Attempt]:
        """The newest attempt of every plan, by plan."""

    def move_attempt(self, attempt: Attempt, to: AttemptState, **changes: Any) -> Attempt:
        """Guarded move."""

    def update_attempt(self, attempt: Attempt, **changes: Any) -> Attempt:
        """Guarded write within the same state."""

    def complete_phase(self, done: PhaseDone) -> None:
        """Record a phase as complete; a second time replaces the first."""

    def phases_done(self, plan: str | None = None) -> Sequence[PhaseDone]:
        """Completed phases, of one plan or of all."""

    def durations(self) -> Mapping[str, float]:
        """Median seconds from start to finish per plan, over its attempts that finished."""


class Queue(Protocol):
    """The merge queue, what checks said, and landings about to be made."""

    def add_entry(self, entry: Entry) -> Entry:
        """Insert with the next sequence number; an entry of that id that exists is returned unchanged."""

    def entry(self, key: str) -> Entry | None:
        """One entry, or None."""

    def entries(
        self, *, target: str | None = None, states: Collection[EntryState] | None = None
    ) -> Sequence[Entry]:
        """Those that match, by sequence."""

    def move_entry(self, entry: Entry, to: EntryState, **changes: Any) -> Entry:
        """Guarded move."""

    def update_entry(self, entry: Entry, **changes: Any) -> Entry:
        """Guarded write within the same state."""

    def add_verdict(self, verdict: Verdict) -> None:
        """Insert, durably; StaleRecordError when the id is taken."""

    def verdicts(self, tree: str, command: str, environment: str | None) -> Sequence[Verdict]:
        """What was said of this tree by this command in this environment (None: in any), newest first."""

    def add_intent(self, intent: Intent) -> None:
        """Insert, durably: when this returns, a power cut does not lose it.

        StaleRecordError when the id is taken or another intent is open on the target: settle that first.
        """

    def intents(self, states: Collection[IntentState] | None = None) -> Sequence[Intent]:
        """All, or those in ``states``, oldest first."""

    def move_intent(self, intent: Intent, to: IntentState, **changes: Any) -> Intent:
        """Guarded move."""


class Slots(Protocol):
    """The pool."""

    def add_slot(self, slot: Slot) -> None:
        """Insert; StaleRecordError when the name is taken."""

    def slot(self, name: str) -> Slot | None:
        """One slot, or None."""

    def slots(
        self, *, purpose: str | None = None, states: Collection[SlotState] | None = None
    ) -> Sequence[Slot]:
        """Those that match, by name."""

    def move_slot(self, slot: Slot, to: SlotState, **changes: Any) -> Slot:
        """Guarded move."""


class Events(Protocol):
    """The log of what happened, and small named values."""

    def emit(
        self, event: str, *, at: str, run: str | None = None, plan: str | None = None, **data: Any
    ) -> StoredEvent:
        """Append one event."""

    def events_after(
        self, sequence: int, *, run: str | None = None, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """Events with a greater sequence number, in order."""

    def last_event(self) -> int:
        """The number of the newest event; 0 when there is none (any more)."""

    def value(self, key: str) -> str | None:
        """A small named value (such as ``queue.main.paused``), or None."""

    def set_value(self, key: str, value: str | None) -> None:
        """Set it, or remove it with None."""

    def prune(self, *, events: str, sessions: str) -> int:
        """Forget older notes, messages, notifications, events (counted first), ended sessions: how many."""


class Store(Sessions, Leases, Tasks, Runs, Looks, Queue, Slots, Events, Measures, Deliveries, Protocol):
    """Everything that planctl remembers of one repository."""

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """One writer, all or nothing; BusyError when no turn is had within a minute.

        May be nested: the inner one joins, and is undone alone when it raises and the outer goes on.
        ``durable=False``: a power cut may lose it until the next durable one, a crash of the process not.
        """

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do ``action`` once what is written now is committed, at once outside a transaction.

        Never when the transaction is undone: for what is shown elsewhere of the store, such as files.
        """

    def close(self) -> None:
        """Release what is held; harmless when called twice."""

    def health(self) -> Mapping[str, Any]:
        """Facts for ``doctor``: ``kind``, ``version``, ``integrity`` (``ok`` or what is wrong), ``path``."""


SET_ASIDE: Final = "store.set_aside"
"""The named value that holds the path of a corrupt store that was set aside, until what git and the journals
know has been brought into the new one; whoever does that removes it."""


@dataclass(frozen=True, slots=True)
class StoreOpened:
    """A store, and the corrupt one that it takes the place of and has not been rebuilt from yet.

    ``set_aside`` comes from the store itself (:data:`SET_ASIDE`), so that a crash between setting aside and
    rebuilding does not forget it; every opener is told until the value is removed. ``after_boot``: nobody has
    opened the store since the machine was started.
    """

    store: Store
    set_aside: Path | None = None
    after_boot: bool = False
