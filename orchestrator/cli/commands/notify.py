"""``planctl notify``: the channels of notifications."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.context import Group, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.services.notifications import ChannelState

_NOBODY: Final = "nobody is told: there is no `notify:` in planctl.yaml, or no channel that you want"
_SHOWN: Final = ("sent", "pending", "failed", "unknown", "expired")


@click.group("notify", cls=Group)
def command() -> None:
    """Who is told when plans land, fail or wait for a person: `notify:` in planctl.yaml."""


@command.command("list")
@pass_invocation
def list_channels(invocation: Invocation) -> None:
    """List the channels, and what became of their notifications. Changes nothing, sends nothing."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services.notifications import channel_data, states, used_channels  # noqa: PLC0415 - as above

    with contextlib.closing(open_readonly_store(invocation.repository)) as store:
        channels = used_channels(invocation.repository)
        found = states(store, invocation.repository, SystemClock(), channels)
    if invocation.as_json:
        invocation.output.data({"channels": [channel_data(one) for one in found]})
        return
    for one in found:
        invocation.output.text(one_line(_line(one)), (_trouble(one), Colour.YELLOW))
    if not found:
        invocation.output.text(_NOBODY)


@command.command("test")
@click.argument("channels", nargs=-1, metavar="[CHANNEL…]")
@pass_invocation
def test(invocation: Invocation, channels: tuple[str, ...]) -> int:
    """Send a trial through CHANNEL, or all of them, and say what became of it. Exit 1 when one failed."""
    from orchestrator.bootstrap import holding, thread_store  # noqa: PLC0415 - as above
    from orchestrator.errors import NothingToDoError  # noqa: PLC0415 - as above
    from orchestrator.services.notifications import delivery_data, trial, used_channels  # noqa: PLC0415 - as above
    from orchestrator.states import DeliveryState  # noqa: PLC0415 - as above

    repository = invocation.repository
    known = used_channels(repository)
    for name in channels:
        if name not in known:
            raise click.BadParameter(f"there is no channel {name!r}; known: {', '.join(known) or 'none'}")
    if not known:
        raise NothingToDoError(_NOBODY)
    with (
        holding(repository, "command", "notify test") as session,
        contextlib.closing(thread_store(repository)()) as store,
    ):
        found = [
            trial(store, repository, session.clock, session.id, (name, known[name]))
            for name in channels or known
        ]
    if invocation.as_json:
        invocation.output.data({"deliveries": [delivery_data(one) for one in found]})
    else:
        for one in found:
            tint = Colour.GREEN if one.state is DeliveryState.SENT else Colour.RED
            detail = f": {one.detail}" if one.detail else ""
            invocation.output.text((f"{one.state:<7}", tint), one_line(f" {one.channel}{detail}"))
    return DONE if all(one.state is DeliveryState.SENT for one in found) else NO


def _line(one: ChannelState) -> str:
    counts = ", ".join(f"{one.counts[state]} {state}" for state in _SHOWN if one.counts[state])
    return f"{one.name}  {one.channel.way}, on {', '.join(one.channel.on)}; {counts or 'nothing yet'}"


def _trouble(one: ChannelState) -> str:
    if one.unusable:
        return f"  {one_line(one.unusable)}"
    last = one.last
    return (
        ""
        if last is None or last.state == "sent"
        else f"  the newest is {last.state}: {one_line(last.detail)}"
    )
