"""A notification on its way through one channel, and what a store does with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.states import DeliveryState
from orchestrator.store.record import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Delivery(Record):
    """``id`` names event and channel, so that there is one of each.

    ``kind``, ``subject`` and ``code`` say what it is about, ``notice`` is what is told; ``at`` is when that
    happened. ``session`` sends it, or did; ``tries`` counts how often.
    """

    id: str
    channel: str
    kind: str
    subject: str
    code: str
    at: str
    notice: Mapping[str, Any] = field(default_factory=dict)
    state: DeliveryState = DeliveryState.PENDING
    session: str | None = None
    tries: int = 0
    detail: str = ""
    changed_at: str = ""
    version: int = 0


class Deliveries(Protocol):
    """The outbox of notifications."""

    def add_delivery(self, delivery: Delivery) -> None:
        """Insert; StaleRecordError when the id is taken."""

    def deliveries(
        self, *, channel: str | None = None, states: Collection[DeliveryState] | None = None
    ) -> Sequence[Delivery]:
        """Those that match all that is given, oldest first."""

    def due_deliveries(self, channel: str) -> Sequence[Delivery]:
        """Those of a channel that have not come to their end, oldest first: asked for all the time."""

    def newest_delivery(self, channel: str, subject: str) -> Delivery | None:
        """The newest of that subject through a channel; None when there was none."""

    def move_delivery(self, delivery: Delivery, to: DeliveryState, **changes: Any) -> Delivery:
        """Guarded move."""
