"""From the log of events into the outbox: one delivery for each event and channel, and never a second one.

The events are in the store already, written in the transaction of what they tell of. The place up to which
they were looked at is in the store too, and moves in the transaction that adds the deliveries: whoever
comes second, or after a kill, finds the place moved or nothing done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.clock import seconds_between
from orchestrator.notifying.notices import is_news, notice_of
from orchestrator.store.deliveryrecords import Delivery
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.clock import Clock
    from orchestrator.notifying.notices import Notice
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import StoredEvent
    from plans.notify import Channel

SEEN: Final = "notify.seen"
"""The named value with the number of the last event that was looked at."""
STALE: Final = 3600.0
"""Seconds after which nobody wants to be told any more."""


class Outbox:
    """Fills the outbox of one repository; one object a thread. Others beside it do the same."""

    def __init__(self, store: Store, clock: Clock, channels: Mapping[str, Channel]) -> None:
        self._store = store
        self._clock = clock
        self._channels = channels
        self._looked = 0

    def begin(self) -> None:
        """Where nobody was ever told of anything, begin with what happens from now on."""
        if self._store.value(SEEN) is not None:
            return
        with step("notify.begin"), self._store.transaction(durable=False):
            if self._store.value(SEEN) is None:
                self._store.set_value(SEEN, str(self._store.last_event()))

    def fill(self) -> int:
        """Add deliveries for what has happened since; return how many."""
        count = 0
        while events := self._new_events():
            if any(notice_of(event) for event in events):
                count += self._add()
            self._looked = events[-1].sequence
        return count

    def _new_events(self) -> Sequence[StoredEvent]:
        """What neither this one has looked at (nobody is told of that) nor another one has dealt with."""
        return self._store.events_after(max(self._looked, int(self._store.value(SEEN) or 0)))

    def _add(self) -> int:
        """Alone: what others have not added since. Not durable: the sending is, and takes this with it."""
        with step("notify.outbox"), self._store.transaction(durable=False):
            events = self._new_events()
            count = sum(self._add_event(event) for event in events)
            if events:
                self._store.set_value(SEEN, str(events[-1].sequence))
        return count

    def _add_event(self, event: StoredEvent) -> int:
        notice, now = notice_of(event), self._clock.now()
        if notice is None or seconds_between(event.ts, now) > STALE:
            return 0
        names = [name for name, channel in self._channels.items() if notice.kind in channel.on]
        wanted = [name for name in names if self._is_news(name, notice)]
        for name in wanted:
            self._store.add_delivery(_delivery(name, notice, event, now))
        return len(wanted)

    def _is_news(self, channel: str, notice: Notice) -> bool:
        last = self._store.newest_delivery(channel, notice.subject)
        return is_news(notice, (last.kind, last.code) if last else None)


def _delivery(channel: str, notice: Notice, event: StoredEvent, now: str) -> Delivery:
    about = {
        key: event.data[key] for key in ("entry", "branch", "landed_commit", "log") if event.data.get(key)
    }
    told = {
        "kind": str(notice.kind),
        "event": event.event,
        "at": event.ts,
        "run": event.run,
        "plan": event.plan,
        **about,
        "code": notice.code,
        "title": notice.title,
        "text": notice.text,
    }
    return Delivery(
        id=f"{event.sequence}-{channel}",
        channel=channel,
        kind=str(notice.kind),
        subject=notice.subject,
        code=notice.code,
        at=event.ts,
        notice=told,
        changed_at=now,
    )
