"""Channels of notifications: those that cannot be used from here, those whose newest word was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.notifying.notifier import SETTING, chosen
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.notifications import states
from orchestrator.states import DeliveryState
from plans.notify import Way

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.services.notifications import ChannelState

_LOST = (DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.EXPIRED)


def examine_notifications(ward: Ward) -> Examined:
    """By what is remembered: nothing is sent."""
    channels = chosen(ward.project.notify, ward.git.settings.every(SETTING))
    found = states(ward.store, ward.repository, ward.clock, channels)
    issues = [issue for one in found for issue in _issues(one)]
    return Examined("notifications", f"{len(found)} channels", tuple(issues))


def _issues(one: ChannelState) -> list[Issue]:
    if one.unusable:
        gravity = Gravity.HINT if one.channel.way is Way.DESKTOP else Gravity.WARNING
        return [Issue("notify-unusable", gravity, one.name, one.unusable)]
    if one.last is not None and one.last.state in _LOST:
        detail = f"the newest is {one.last.state} since {one.last.changed_at}: {one.last.detail}"
        return [Issue("notify-failing", Gravity.WARNING, one.name, detail)]
    return []
