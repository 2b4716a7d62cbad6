"""``planctl session``: who works here. Nothing stays behind when a command ends, on a terminal or in CI."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.context import Group, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.speaking import session_expiry, session_option, speaking
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Message


@click.group("session", cls=Group)
def command() -> None:
    """Sessions: register, say that one is there, tell others something, leave."""


@command.command("start")
@click.argument("key", metavar="[ID]", required=False)
@click.option("--id", "--session", "named", metavar="ID", help="The same as ID.")
@click.option("--agent", default="", help="The agent's name; again from the same process it is one session.")
@click.option("--label", "labels", multiple=True, help="What it can do, for `task claim --next`; repeatable.")
@click.option("--note", default="", help="What it is here for, shown to others.")
@click.option("--child", "children", multiple=True, type=int, metavar="PID", help="A process of its own.")
@pass_invocation
def start(invocation: Invocation, /, key: str | None, named: str | None, **options: Any) -> None:
    """Register the process that works here, and print the session's id: ID, or one that is drawn.

    Exit 4 while another living process has that id.
    """
    from orchestrator.bootstrap import attending  # noqa: PLC0415 - `--help` does without
    from orchestrator.services import sessions  # noqa: PLC0415 - as above
    from orchestrator.services.speaking import noted_place  # noqa: PLC0415 - as above

    if key is not None and named is not None and key != named:
        raise click.UsageError(f"ID is {key}, and --id says {named}")
    expiry = session_expiry(invocation)
    newcomer = sessions.Newcomer(key or named, expiry=expiry, **options)
    with attending(invocation.repository) as (store, clock):
        begun = sessions.begin(store, clock, newcomer, os.environ)
        session = noted_place(store, begun, invocation.repository)
        data = sessions.session_data(session, clock)
    if invocation.as_json:
        invocation.output.data(data)
    else:
        invocation.output.text(session.id)


@command.command("heartbeat")
@click.argument("key", metavar="[ID]", required=False)
@click.option("--task", help="What it works on now, such as auth-impl:1.1; an empty text for nothing.")
@click.option("--child", "children", multiple=True, type=int, metavar="PID", help="A process of its own.")
@session_option
@pass_invocation
def heartbeat(
    invocation: Invocation, key: str | None, speaks: str | None, task: str | None, children: tuple[int, ...]
) -> None:
    """Say that the session is there, renew all that it holds, and read what others have told it.

    Exit 1 when it has ended: what it held is not its own any more.
    """
    from orchestrator.services import sessions  # noqa: PLC0415 - `--help` does without

    with speaking(invocation, key or speaks, revive=False) as (store, clock, found):
        session, told = sessions.beat(store, clock, found, task=task, children=children)
        left = session.expires - clock.monotonic()
    if invocation.as_json:
        said = {"id": session.id, "task": session.task, "expires_in_seconds": round(left, 1)}
        invocation.output.data({**said, "messages": [_data(message) for message in told]})
        return
    _show(invocation, told)


@command.command("end")
@click.argument("key", metavar="[ID]", required=False)
@click.option("--agent", default="", help="Only the session of this agent, not of what is above it.")
@session_option
@pass_invocation
def end(invocation: Invocation, key: str | None, speaks: str | None, agent: str) -> int:
    """End a session and give back what it holds; exit 1 when there is none (any more)."""
    from orchestrator.bootstrap import attending  # noqa: PLC0415 - `--help` does without
    from orchestrator.errors import NothingToDoError  # noqa: PLC0415 - as above
    from orchestrator.services import sessions, speaking  # noqa: PLC0415 - as above

    with attending(invocation.repository) as (store, clock):
        found = speaking.meant(store, clock, key or speaks, os.environ, agent=agent)
        try:
            released = sessions.leave(store, clock, found or "")
        except NothingToDoError as error:
            if invocation.as_json:
                invocation.output.data({"id": found, "ended": False, "released": []})
            invocation.output.note(str(error) if found else "no session is registered for what is above")
            return NO
    names = [lease.name for lease in released]
    if invocation.as_json:
        invocation.output.data({"id": found, "ended": True, "released": names})
    else:
        given = f", and gave back {', '.join(names)}" if names else ""
        invocation.output.text(one_line(f"session {found} has ended{given}"))
    return DONE


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Those that have ended, too.")
@pass_invocation
def show(invocation: Invocation, *, every: bool) -> None:
    """Show who works here, on what, and what each holds. Changes nothing."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.display.sessions import lines  # noqa: PLC0415 - as above
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services import sessions  # noqa: PLC0415 - as above

    with contextlib.closing(open_readonly_store(invocation.repository)) as store:
        rows = sessions.rows(store, SystemClock(), every=every)
    if invocation.as_json:
        invocation.output.data({"sessions": rows})
        return
    for line in lines(rows):
        invocation.output.text(*line)
    if not rows:
        invocation.output.note("nobody works here")


@command.command("message")
@click.argument("to", metavar="ID|all")
@click.argument("text", metavar="TEXT...", nargs=-1, required=True)
@session_option
@pass_invocation
def message(invocation: Invocation, to: str, text: tuple[str, ...], speaks: str | None) -> None:
    """Leave TEXT for a session, or for all that live; it is read with their next heartbeat."""
    from orchestrator.services import sessions  # noqa: PLC0415 - `--help` does without

    with speaking(invocation, speaks) as (store, clock, session):
        receivers = sessions.send(store, clock, session.id, to, " ".join(text)[:10_000])
    if invocation.as_json:
        invocation.output.data({"from": session.id, "to": receivers})
    else:
        invocation.output.text(f"left for {', '.join(receivers) or 'nobody: no other session lives'}")


def _data(told: Message) -> dict[str, str]:
    return {"from": told.sender, "at": told.at, "text": told.text}


def _show(invocation: Invocation, told: Sequence[Message]) -> None:
    for one in told:
        invocation.output.text(one_line(f"{one.at}  {one.sender}: {one.text}"))
