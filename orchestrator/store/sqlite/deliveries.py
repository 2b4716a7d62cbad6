"""The outbox of notifications on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import DELIVERY, DeliveryState
from orchestrator.store.deliveryrecords import Delivery
from orchestrator.store.sqlite.codec import Codec, names
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_DELIVERY: Final = Codec(
    Delivery, DeliveryState, DELIVERY, "deliveries.write", mappings=frozenset({"notice"})
)


class SqliteDeliveries(Tables):
    """See :class:`orchestrator.store.deliveryrecords.Deliveries`."""

    def add_delivery(self, delivery: Delivery) -> None:
        """See the protocol."""
        self._add(_DELIVERY, "deliveries.add", delivery, delivery.id)

    def deliveries(
        self, *, channel: str | None = None, states: Collection[DeliveryState] | None = None
    ) -> Sequence[Delivery]:
        """See the protocol."""
        return self._all(_DELIVERY, "deliveries.find", channel=channel, states=names(states))

    def due_deliveries(self, channel: str) -> Sequence[Delivery]:
        """See the protocol."""
        return self._all(_DELIVERY, "deliveries.due", channel=channel)

    def newest_delivery(self, channel: str, subject: str) -> Delivery | None:
        """See the protocol."""
        return self._one(_DELIVERY, "deliveries.newest", channel=channel, subject=subject)

    def move_delivery(self, delivery: Delivery, to: DeliveryState, **changes: Any) -> Delivery:
        """See the protocol."""
        return self._move(_DELIVERY, delivery, to, changes)
