"""The pool on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import SLOT, SlotState
from orchestrator.store.records import Slot
from orchestrator.store.sqlite.codec import Codec, names
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_SLOT: Final = Codec(Slot, SlotState, SLOT, "slots.write")


class SqliteSlots(Tables):
    """See :class:`orchestrator.store.protocol.Slots`."""

    def add_slot(self, slot: Slot) -> None:
        """See the protocol."""
        self._add(_SLOT, "slots.add", slot, slot.name)

    def slot(self, name: str) -> Slot | None:
        """See the protocol."""
        return self._one(_SLOT, "slots.get", name=name)

    def slots(
        self, *, purpose: str | None = None, states: Collection[SlotState] | None = None
    ) -> Sequence[Slot]:
        """See the protocol."""
        return self._all(_SLOT, "slots.find", purpose=purpose, states=names(states))

    def move_slot(self, slot: Slot, to: SlotState, **changes: Any) -> Slot:
        """See the protocol."""
        return self._move(_SLOT, slot, to, changes)
