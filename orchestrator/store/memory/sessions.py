"""Sessions and slots in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.states import SESSION, SLOT, SessionState, SlotState
from orchestrator.store.memory.tables import Tables, among
from orchestrator.store.rules import moved, updated

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from orchestrator.store.records import Message, Session, Slot


class MemorySessions(Tables):
    """See :class:`orchestrator.store.protocol.Sessions`."""

    def add_session(self, session: Session) -> None:
        """See the protocol."""
        self._add("sessions", session.id, session)

    def session(self, key: str) -> Session | None:
        """See the protocol."""
        found: Session | None = self._one("sessions", key)
        return found

    def sessions(self, states: Collection[SessionState] | None = None) -> Sequence[Session]:
        """See the protocol."""
        return self._all("sessions", lambda s: among(s.state, states))

    def move_session(self, session: Session, to: SessionState, **changes: Any) -> Session:
        """See the protocol."""
        return self._write("sessions", session.id, session, moved(session, to, changes, SESSION))

    def update_session(self, session: Session, **changes: Any) -> Session:
        """See the protocol."""
        return self._write("sessions", session.id, session, updated(session, changes))

    def beat(self, key: str, *, expires: float, at: str, task: str | None = None) -> bool:
        """See the protocol."""
        with self._lock:
            session = self.session(key)
            if session is None or session.state is not SessionState.ACTIVE:
                return False
            self._writing("sessions")[key] = replace(
                session,
                expires=expires,
                heartbeat_at=at,
                task=session.task if task is None else task,
                version=session.version + 1,
            )
            return True

    def add_message(self, message: Message) -> Message:
        """See the protocol."""
        with self._lock:
            numbered = replace(message, sequence=self._next("messages"))
            self._writing("messages")[numbered.sequence] = numbered
            return numbered

    def unread(self, receiver: str) -> Sequence[Message]:
        """See the protocol."""
        return self._all("messages", lambda m: m.receiver == receiver and m.read_at is None)

    def mark_read(self, receiver: str, *, sequence: int, at: str) -> int:
        """See the protocol."""
        with self._lock:
            found = [m for m in self.unread(receiver) if m.sequence <= sequence]
            for message in found:
                self._writing("messages")[message.sequence] = replace(message, read_at=at)
            return len(found)


class MemorySlots(Tables):
    """See :class:`orchestrator.store.protocol.Slots`."""

    def add_slot(self, slot: Slot) -> None:
        """See the protocol."""
        self._add("slots", slot.name, slot)

    def slot(self, name: str) -> Slot | None:
        """See the protocol."""
        found: Slot | None = self._one("slots", name)
        return found

    def slots(
        self, *, purpose: str | None = None, states: Collection[SlotState] | None = None
    ) -> Sequence[Slot]:
        """See the protocol."""
        found = self._all("slots", lambda s: among(s.state, states) and purpose in {None, s.purpose})
        return sorted(found, key=lambda slot: slot.name)

    def move_slot(self, slot: Slot, to: SlotState, **changes: Any) -> Slot:
        """See the protocol."""
        return self._write("slots", slot.name, slot, moved(slot, to, changes, SLOT))
