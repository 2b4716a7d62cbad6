"""Channels of notifications: what they are, how they do, and a trial of each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import new_id
from orchestrator.notifying.errands import Unusable, errand_of
from orchestrator.notifying.notifier import SETTING, chosen
from orchestrator.notifying.sending import judged
from orchestrator.running.errand import run_errand
from orchestrator.settings import load_settings, require_usable
from orchestrator.states import DeliveryState
from orchestrator.store.deliveryrecords import Delivery
from plans.effects import step
from plans.notify import Channel, Told
from worktrees.git import Git

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from worktrees.repository import Repository

D = DeliveryState
TRIAL: Final = "trial"
"""The subject of a trial."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel: ``unusable`` says why this process cannot use it, ``last`` is the newest that has ended."""

    name: str
    channel: Channel
    unusable: str | None
    counts: Mapping[str, int]
    last: Delivery | None


def used_channels(repository: Repository) -> dict[str, Channel]:
    """The channels of ``planctl.yaml`` that the user wants, and the desktop if he wants it.

    Raises InvalidPlansError for a ``planctl.yaml`` with errors.
    """
    git = Git(repository)
    project = require_usable(load_settings(repository, git)).project
    return chosen(project.notify, git.settings.every(SETTING))


def states(
    store: Store, repository: Repository, clock: Clock, channels: Mapping[str, Channel]
) -> list[ChannelState]:
    """How each channel does, by what the store knows; nothing is sent."""
    found = []
    for name, channel in channels.items():
        all_of_it = store.deliveries(channel=name)
        counts = {str(state): sum(d.state is state for d in all_of_it) for state in D}
        errand = errand_of(channel, _trial(name, clock), repository, os.environ, clock.now())
        unusable = errand.reason if isinstance(errand, Unusable) else None
        ended = [d for d in all_of_it if d.state not in (D.PENDING, D.SENDING)]
        newest = max(ended, key=lambda d: d.changed_at, default=None)
        found.append(ChannelState(name, channel, unusable, counts, newest))
    return found


def trial(
    store: Store, repository: Repository, clock: Clock, session: str, named: tuple[str, Channel]
) -> Delivery:
    """Send a trial through a channel; what became of it, which is remembered.

    Once: a trial that would have to be tried again has failed.
    """
    name, channel = named
    delivery = _trial(name, clock)
    errand = errand_of(channel, delivery, repository, os.environ, clock.now())
    with step("notify.trial"), store.transaction():
        store.add_delivery(delivery)
        delivery = store.move_delivery(delivery, D.SENDING, session=session, tries=1)
    if isinstance(errand, Unusable):
        state, detail = D.FAILED, errand.reason
    else:
        until = clock.monotonic() + channel.timeout
        state, detail = judged(channel, run_errand(errand, lambda: clock.monotonic() >= until), 1)
    with step("notify.trial-note"):
        ended = D.SENT if state is D.SENT else D.FAILED
        return store.move_delivery(delivery, ended, detail=detail, changed_at=clock.now())


def _trial(channel: str, clock: Clock) -> Delivery:
    now = clock.now()
    notice = {
        "kind": str(Told.WAITING),
        "event": "notify.test",
        "at": now,
        "run": None,
        "plan": None,
        "code": "",
        "title": "planctl: a trial",
        "text": "`planctl notify test` asked for it; there is nothing to do",
    }
    key = f"{new_id()}-{channel}"
    return Delivery(key, channel, str(Told.WAITING), TRIAL, "", now, notice, changed_at=now)


def channel_data(one: ChannelState) -> dict[str, Any]:
    """A channel under the names of the contract; no address is shown, which may be a secret."""
    return {
        "channel": one.name,
        "way": str(one.channel.way),
        "on": [str(told) for told in one.channel.on],
        "timeout_seconds": one.channel.timeout,
        "unusable": one.unusable,
        "deliveries": dict(one.counts),
        "last": delivery_data(one.last) if one.last else None,
    }


def delivery_data(delivery: Delivery) -> dict[str, Any]:
    """A delivery under the names of the contract."""
    return {
        "channel": delivery.channel,
        "state": str(delivery.state),
        "kind": delivery.kind,
        "title": delivery.notice.get("title"),
        "at": delivery.at,
        "changed_at": delivery.changed_at,
        "tries": delivery.tries,
        "detail": delivery.detail,
    }
