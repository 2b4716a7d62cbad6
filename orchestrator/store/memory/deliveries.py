"""The outbox of notifications in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.states import DELIVERY, DeliveryState
from orchestrator.store.memory.tables import Tables, among
from orchestrator.store.rules import moved

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from orchestrator.store.deliveryrecords import Delivery


class MemoryDeliveries(Tables):
    """See :class:`orchestrator.store.deliveryrecords.Deliveries`."""

    def add_delivery(self, delivery: Delivery) -> None:
        """See the protocol."""
        self._add("deliveries", delivery.id, delivery)

    def deliveries(
        self, *, channel: str | None = None, states: Collection[DeliveryState] | None = None
    ) -> Sequence[Delivery]:
        """See the protocol."""
        return self._all("deliveries", lambda d: channel in {None, d.channel} and among(d.state, states))

    def due_deliveries(self, channel: str) -> Sequence[Delivery]:
        """See the protocol."""
        return self.deliveries(channel=channel, states={DeliveryState.PENDING, DeliveryState.SENDING})

    def newest_delivery(self, channel: str, subject: str) -> Delivery | None:
        """See the protocol."""
        found = self._all("deliveries", lambda d: d.channel == channel and d.subject == subject)
        return found[-1] if found else None

    def move_delivery(self, delivery: Delivery, to: DeliveryState, **changes: Any) -> Delivery:
        """See the protocol."""
        return self._write("deliveries", delivery.id, delivery, moved(delivery, to, changes, DELIVERY))
