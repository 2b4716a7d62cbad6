"""The merge queue on SQLite: entries, verdicts, intents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import ENTRY, INTENT, EntryState, IntentState
from orchestrator.store.records import Entry, Intent, Verdict
from orchestrator.store.sqlite.codec import Codec, names
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_ENTRY: Final = Codec(
    Entry,
    EntryState,
    ENTRY,
    "entries.write",
    mappings=frozenset({"reason"}),
    tuples=frozenset({"after", "reads"}),
    flags=frozenset({"explicit_base", "unchecked"}),
)
_VERDICT: Final = Codec(Verdict, flags=frozenset({"passed", "tainted"}))
_INTENT: Final = Codec(
    Intent,
    IntentState,
    INTENT,
    "landings.write_intent",
    mappings=frozenset({"members"}),
    tuples=frozenset({"checkouts"}),
)


class SqliteQueue(Tables):
    """See :class:`orchestrator.store.protocol.Queue`. A write is as durable as its transaction."""

    def add_entry(self, entry: Entry) -> Entry:
        """See the protocol."""
        with self._db.transaction():
            found = self.entry(entry.id)
            if found is not None:
                return found
            row = _ENTRY.row(entry)
            sequence = self._db.query.insert("entries.add", **row)
            return replace(_ENTRY.load(row), sequence=sequence)

    def entry(self, key: str) -> Entry | None:
        """See the protocol."""
        return self._one(_ENTRY, "entries.get", id=key)

    def entries(
        self, *, target: str | None = None, states: Collection[EntryState] | None = None
    ) -> Sequence[Entry]:
        """See the protocol."""
        if states is None:
            return self._all(_ENTRY, "entries.find", target=target)
        return self._all(_ENTRY, "entries.in_states", target=target, states=names(states))

    def move_entry(self, entry: Entry, to: EntryState, **changes: Any) -> Entry:
        """See the protocol."""
        return self._move(_ENTRY, entry, to, changes)

    def update_entry(self, entry: Entry, **changes: Any) -> Entry:
        """See the protocol."""
        return self._update(_ENTRY, entry, changes)

    def add_verdict(self, verdict: Verdict) -> None:
        """See the protocol."""
        self._add(_VERDICT, "landings.add_verdict", verdict, verdict.id)

    def verdicts(self, tree: str, command: str, environment: str | None) -> Sequence[Verdict]:
        """See the protocol."""
        subject = {"tree": tree, "command": command, "environment": environment}
        return self._all(_VERDICT, "landings.verdicts", **subject)

    def add_intent(self, intent: Intent) -> None:
        """See the protocol."""
        self._add(_INTENT, "landings.add_intent", intent, intent.id)

    def intents(self, states: Collection[IntentState] | None = None) -> Sequence[Intent]:
        """See the protocol."""
        return self._all(_INTENT, "landings.intents", states=names(states))

    def move_intent(self, intent: Intent, to: IntentState, **changes: Any) -> Intent:
        """See the protocol."""
        return self._move(_INTENT, intent, to, changes)
