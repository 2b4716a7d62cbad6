"""Deliveries of one channel are made: claimed, sent, noted; tried again where that makes sense.

1. the delivery moves to ``sending``, durably and guarded: of many processes one has it
2. it is sent
3. what became of it is noted

Promise: what was sent, and what was perhaps sent because who sent it died between 1 and 3, is not sent again.
A webhook that did not answer, or said that it cannot now, is tried again, with the same ``webhook-id``: up
to :data:`TRIES` times, and the channel rests in between. Not promised: that each notice arrives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.clock import jitter, seconds_between
from orchestrator.errors import StaleRecordError
from orchestrator.notifying.errands import Unusable, errand_of
from orchestrator.notifying.outbox import STALE
from orchestrator.running.errand import run_errand
from orchestrator.running.webhook_main import TEMPORARY
from orchestrator.sessions.death import living_session
from orchestrator.states import DeliveryState
from plans.effects import step
from plans.notify import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.clock import Clock
    from orchestrator.notifying.log import NotifyLog
    from orchestrator.running.errand import Errand, Ran
    from orchestrator.store.deliveryrecords import Delivery
    from orchestrator.store.protocol import Store
    from plans.notify import Channel
    from worktrees.repository import Repository

D = DeliveryState
TRIES: Final = 5
FIRST_REST: Final = 2.0
_GROWTH: Final = 4.0
_SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class Post:
    """Where and as whom it is sent: ``session`` of this process, a ``store`` of this thread."""

    repository: Repository
    store: Store
    clock: Clock
    session: str
    environ: Mapping[str, str]
    log: NotifyLog


class Sender:
    """Sends what is due through one channel. ``time_left`` bounds all that it does, in seconds."""

    def __init__(self, name: str, channel: Channel, post: Post, time_left: Callable[[], float]) -> None:
        self.name = name
        self._channel = channel
        self._post = post
        self._store = post.store
        self._clock = post.clock
        self._time_left = time_left
        self._rests_until = 0.0
        self._failures = 0

    def round(self) -> None:
        """Send what is due; leave what has to wait, and what no process can send any more."""
        for delivery in self._store.due_deliveries(self.name):
            if self._time_left() <= 0:
                return
            try:
                self._look_at(delivery)
            except StaleRecordError:
                continue  # another process has it

    def _look_at(self, delivery: Delivery) -> None:
        now = self._clock.now()
        if delivery.state is D.SENDING:
            if living_session(self._store, delivery.session) is None:
                self._end(delivery, D.UNKNOWN, "who sent it died at it")
        elif seconds_between(delivery.at, now) > STALE:
            self._end(delivery, D.EXPIRED, delivery.detail or "nobody sent it in time")
        elif self._clock.monotonic() >= self._rests_until:
            self._send(delivery, now)

    def _send(self, delivery: Delivery, now: str) -> None:
        errand = errand_of(self._channel, delivery, self._post.repository, self._post.environ, now)
        if isinstance(errand, Unusable) and not errand.for_all:
            return  # by another process, or not in time
        with step("notify.claim"):
            claimed = self._store.move_delivery(
                delivery, D.SENDING, session=self._post.session, tries=delivery.tries + 1, changed_at=now
            )
        if isinstance(errand, Unusable):
            self._end(claimed, D.FAILED, errand.reason)
            return
        with step("notify.send"):
            ran = self._run(errand)
        state, detail = judged(self._channel, ran, claimed.tries)
        self._rest(failed=state is D.PENDING or (state is D.FAILED and claimed.tries > 1))
        self._end(claimed, state, detail)

    def _run(self, errand: Errand) -> Ran:
        until = self._clock.monotonic() + errand.timeout
        return run_errand(errand, lambda: self._clock.monotonic() >= until or self._time_left() <= 0)

    def _rest(self, *, failed: bool) -> None:
        """A receiver that does not answer is let alone, for all deliveries, each time for longer."""
        self._failures = self._failures + 1 if failed else 0
        pause = FIRST_REST * _GROWTH ** min(self._failures - 1, TRIES) if failed else 0.0
        self._rests_until = self._clock.monotonic() + jitter(pause, _SPREAD)

    def _end(self, delivery: Delivery, state: DeliveryState, detail: str) -> None:
        with step("notify.note"):
            self._store.move_delivery(delivery, state, detail=detail, changed_at=self._clock.now())
        what = f"{state} {delivery.notice.get('title')}: {delivery.notice.get('text')}"
        self._post.log.say(self.name, what, f"({detail})" if detail else "")


def judged(channel: Channel, ran: Ran, tries: int) -> tuple[DeliveryState, str]:
    """What becomes of a delivery after its ``tries``-th try: sent, to be tried again, or failed."""
    detail = "it ran out of time" if ran.timed_out else ran.output
    if ran.exit_code == 0:
        return D.SENT, detail
    if ran.exit_code is not None and channel.way is not Way.WEBHOOK:
        detail = f"exit {ran.exit_code}: {detail}" if detail else f"exit {ran.exit_code}"
    may_do = channel.way is Way.WEBHOOK and (ran.timed_out or ran.exit_code == TEMPORARY)
    return (D.PENDING if may_do and tries < TRIES else D.FAILED), detail
