"""The merge queue, the log of events and the named values in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StaleRecordError
from orchestrator.states import ENTRY, INTENT, EntryState, IntentState, SessionState
from orchestrator.store.memory.measures import MemoryMeasures
from orchestrator.store.memory.tables import Tables, among, fresh
from orchestrator.store.records import StoredEvent
from orchestrator.store.rules import moved, updated

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from orchestrator.store.records import Entry, Intent, Verdict


class MemoryQueue(Tables):
    """See :class:`orchestrator.store.protocol.Queue`."""

    def add_entry(self, entry: Entry) -> Entry:
        """See the protocol."""
        with self._lock:
            found = self.entry(entry.id)
            if found is None:
                found = fresh(replace(entry, sequence=self._next("entries")))
                self._add("entries", entry.id, found)
            return found

    def entry(self, key: str) -> Entry | None:
        """See the protocol."""
        found: Entry | None = self._one("entries", key)
        return found

    def entries(
        self, *, target: str | None = None, states: Collection[EntryState] | None = None
    ) -> Sequence[Entry]:
        """See the protocol."""
        return self._all("entries", lambda e: target in {None, e.target} and among(e.state, states))

    def move_entry(self, entry: Entry, to: EntryState, **changes: Any) -> Entry:
        """See the protocol."""
        return self._write("entries", entry.id, entry, moved(entry, to, changes, ENTRY))

    def update_entry(self, entry: Entry, **changes: Any) -> Entry:
        """See the protocol."""
        return self._write("entries", entry.id, entry, updated(entry, changes))

    def add_verdict(self, verdict: Verdict) -> None:
        """See the protocol; memory is as durable as its process."""
        self._add("verdicts", verdict.id, verdict)

    def verdicts(self, tree: str, command: str, environment: str | None) -> Sequence[Verdict]:
        """See the protocol."""
        said = self._all("verdicts", lambda v: (v.tree, v.command) == (tree, command))[::-1]
        return [v for v in said if environment in (None, v.environment)]

    def add_intent(self, intent: Intent) -> None:
        """See the protocol; memory is as durable as its process."""
        with self._lock:
            if intent.state is IntentState.OPEN and any(
                other.target == intent.target for other in self.intents({IntentState.OPEN})
            ):
                raise StaleRecordError("intent", intent.id)
            self._add("intents", intent.id, intent)

    def intents(self, states: Collection[IntentState] | None = None) -> Sequence[Intent]:
        """See the protocol."""
        return self._all("intents", lambda i: among(i.state, states))

    def move_intent(self, intent: Intent, to: IntentState, **changes: Any) -> Intent:
        """See the protocol."""
        return self._write("intents", intent.id, intent, moved(intent, to, changes, INTENT))


class MemoryEvents(MemoryMeasures):
    """See :class:`orchestrator.store.protocol.Events`."""

    def emit(
        self, event: str, *, at: str, run: str | None = None, plan: str | None = None, **data: Any
    ) -> StoredEvent:
        """See the protocol."""
        with self._lock:
            stored = fresh(StoredEvent(self._next("events"), at, event, run, plan, data))
            self._writing("events")[stored.sequence] = stored
            return fresh(stored)

    def events_after(
        self, sequence: int, *, run: str | None = None, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """See the protocol."""
        return self._all("events", lambda e: e.sequence > sequence and run in {None, e.run})[:limit]

    def value(self, key: str) -> str | None:
        """See the protocol."""
        with self._lock:
            return self._data["values"].get(key)

    def set_value(self, key: str, value: str | None) -> None:
        """See the protocol."""
        with self._lock:
            values = self._writing("values")
            values.pop(key, None)
            if value is not None:
                values[key] = value

    def prune(self, *, events: str, sessions: str) -> int:
        """See the protocol."""
        with self._lock:
            self.sum_up(before=events)
            old = [("events", e.sequence) for e in self._all("events", lambda e: e.ts < events)]
            old += [("lease_notes", n.sequence) for n in self._all("lease_notes", lambda n: n.at < events)]
            old += [("deliveries", d.id) for d in self._all("deliveries", lambda d: d.changed_at < events)]
            old += [("messages", m.sequence) for m in self._all("messages", lambda m: m.at < events)]
            ended = self._all("sessions", lambda s: s.state is SessionState.ENDED and s.ended_at)
            old += [("sessions", s.id) for s in ended if s.ended_at < sessions]
            for table, key in old:
                del self._writing(table)[key]
            return len(old)
