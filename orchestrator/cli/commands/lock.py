"""``planctl lock``: leases by name, and files that are reserved."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.context import Group, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.speaking import seconds_of, session_option, speaking
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.leases.acquiring import Manner
    from orchestrator.leases.backoff import Retry
    from orchestrator.scheduling.reservations import Standing
    from orchestrator.services.locks import Asked
    from plans.folding import Folding


@click.group("lock", cls=Group)
def command() -> None:
    """Hold something by name, to read or to write, or reserve files; wait in line for what others hold."""


def _asking(function: Callable[..., Any]) -> Callable[..., Any]:
    """What ``acquire`` and ``run`` have in common."""
    for option in (
        click.option("--write", "scope", flag_value="write", default="write", help="Alone (as is usual)."),
        click.option("--read", "scope", flag_value="read", help="Together with other readers of the branch."),
        click.option("--none", "scope", flag_value="none", help="In nobody's way: only to be seen."),
        click.option("--branch", default="", help="The branch that is read; readers of others wait."),
        click.option("--files", multiple=True, metavar="PATTERN", help="Only these files; may be repeated."),
        click.option("--priority", type=float, default=50, help="A point is worth a second of waiting."),
        click.option("--purpose", default="", help="What it is for, to be shown to those who wait."),
        click.option(
            "--timeout", metavar="TIME", help="Wait so long (5m), instead of six times, 19 s in all."
        ),
        click.option("--no-wait", is_flag=True, help="Do not wait at all."),
    ):
        function = option(function)
    return function


@command.command("list")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--history", is_flag=True, help="What became of leases, the newest last.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, help="So many lines of history.")
@pass_invocation
def show(invocation: Invocation, name: str | None, *, history: bool, limit: int) -> None:
    """Show who holds what and who waits for it, of NAME or of all. Changes nothing."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.display import leases  # noqa: PLC0415 - as above
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services import locks  # noqa: PLC0415 - as above
    from orchestrator.store.scopes import FILES  # noqa: PLC0415 - as above

    clock, said = SystemClock(), {}
    with contextlib.closing(open_readonly_store(invocation.repository)) as store:
        if history:
            said = {"history": locks.history_rows(store, name, limit)}
        else:
            held, waiting = locks.held_rows(store, clock, name), locks.waiting_rows(store, clock, name)
            plans = locks.plan_rows(store, clock) if name in (None, FILES) else []
            said = {"leases": held, "waiting": waiting, "plans": plans}
    if invocation.as_json:
        invocation.output.data(said)
        return
    lines = [*leases.lines(said)]
    for line in lines:
        invocation.output.text(*line)
    if not lines:
        invocation.output.note("nothing is held" if not history else "nothing was ever held")


@command.command("acquire")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_asking
@session_option
@pass_invocation
def acquire(invocation: Invocation, /, names: tuple[str, ...], speaks: str | None, **options: Any) -> int:
    """Take NAMEs (all or none) for a session, which holds them until it gives them back or ends.

    With --files and no NAME: reserve files. Exit 4 with the holder when they were not had in time.
    """
    from orchestrator.cli.exits import SIGNALLED  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.interrupts import catching  # noqa: PLC0415 - as above
    from orchestrator.errors import LeaseBusyError  # noqa: PLC0415 - as above
    from orchestrator.services import locks  # noqa: PLC0415 - as above

    asked, manner = _asked(invocation, names, options), _manner(options)
    with catching() as (cancelled, caught), speaking(invocation, speaks) as (store, clock, session):
        began = clock.monotonic()
        expiry = max(session.expires - began, 1.0)
        manner = replace(manner, cancelled=cancelled, show=_teller(invocation))
        try:
            taken = locks.take(store, clock, asked.wanted(session.id, expiry), manner, _standing())
        except LeaseBusyError:
            if caught:
                return SIGNALLED + caught[0]
            raise
        waited = clock.monotonic() - began
    if invocation.as_json:
        held = [locks.lease_data(lease) for lease in taken]
        invocation.output.data({"session": session.id, "leases": held, "waited_seconds": round(waited, 3)})
        return DONE
    if waited >= 1:
        invocation.output.note(f"had after waiting {waited:.0f} s")
    for lease in taken:
        invocation.output.text(f"{lease.name} is held by {session.id}, token {lease.token}")
    return DONE


@command.command("release")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--all", "everything", is_flag=True, help="All that the session holds but its tasks.")
@click.option("--token", type=int, help="Only the grant with this token.")
@click.option(
    "--files", multiple=True, metavar="PATTERN", help="Only the reservation of exactly these files."
)
@session_option
@pass_invocation
def release(
    invocation: Invocation,
    name: str | None,
    speaks: str | None,
    token: int | None,
    files: tuple[str, ...],
    *,
    everything: bool,
) -> int:
    """Give NAME back; exit 1 when the session does not hold it (any more)."""
    from orchestrator.services import locks  # noqa: PLC0415 - `--help` does without
    from orchestrator.store.scopes import FILES  # noqa: PLC0415 - as above

    if (name is None) == (not everything and not files):
        raise click.UsageError("name one lock, or all with --all, or files with --files")
    asked = locks.Asked((), files=files, folding=_folding(invocation))
    which = locks.Which(name or (FILES if files else None), token, asked.patterns())
    with speaking(invocation, speaks) as (store, clock, session):
        ended = locks.give_back(store, clock, session.id, which)
    if invocation.as_json:
        invocation.output.data({"session": session.id, "released": [locks.lease_data(one) for one in ended]})
    for lease in ended:
        invocation.output.text(f"{lease.name} was given back, token {lease.token}")
    if not ended:
        invocation.output.note(f"session {session.id} does not hold {name or 'anything'}")
    return DONE if ended else NO


@command.command("break")
@click.argument("name", metavar="NAME")
@click.option("--of", metavar="SESSION", help="Only from this session, where several share the name.")
@session_option
@pass_invocation
def take_away(invocation: Invocation, name: str, speaks: str | None, of: str | None) -> None:
    """Take NAME from whoever holds it. A holder that lives is told, and its token is good no more."""
    from orchestrator.services import locks  # noqa: PLC0415 - `--help` does without

    with speaking(invocation, speaks) as (store, clock, session):
        ended = locks.break_leases(store, clock, locks.Which(name, session=of), session.id)
    if invocation.as_json:
        invocation.output.data({"broken": [locks.lease_data(lease) for lease in ended]})
    for lease in ended:
        invocation.output.text(f"{lease.name} was taken from {lease.session}, token {lease.token}")


@command.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="NAME")
@click.argument("argv", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED, required=True)
@_asking
@pass_invocation
def run(invocation: Invocation, /, name: str, argv: tuple[str, ...], **options: Any) -> int:
    """Run COMMAND while NAME is held; it is ended when the lease is lost (exit 4). Its exit code is ours."""
    from orchestrator.bootstrap import holding  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.exits import SIGNALLED  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import catching  # noqa: PLC0415 - as above
    from orchestrator.errors import LeaseBusyError  # noqa: PLC0415 - as above
    from orchestrator.running.underlease import run_under  # noqa: PLC0415 - as above
    from orchestrator.services import locks  # noqa: PLC0415 - as above

    asked, manner = _asked(invocation, (name,), options), _manner(options)
    purpose = asked.purpose or " ".join(argv)[:200]
    with catching() as (cancelled, caught), holding(invocation.repository, "lock", purpose) as session:
        manner = replace(manner, cancelled=cancelled, show=_teller(invocation))
        try:
            held = locks.take_one(session, replace(asked, purpose=purpose), manner, _standing())
        except LeaseBusyError:
            if caught:
                return SIGNALLED + caught[0]
            raise
        code = run_under(session, held, argv, cancelled=cancelled, environ=os.environ)
    return SIGNALLED + caught[0] if caught else code


def _asked(invocation: Invocation, names: tuple[str, ...], options: dict[str, Any]) -> Asked:
    from orchestrator.services.locks import Asked  # noqa: PLC0415 - `--help` does without
    from orchestrator.store.scopes import Scope  # noqa: PLC0415 - as above

    return Asked(
        names,
        Scope(options["scope"]),
        options["branch"],
        options["files"],
        options["priority"],
        options["purpose"],
        _folding(invocation),
    )


def _manner(options: dict[str, Any]) -> Manner:
    from orchestrator.leases.acquiring import Manner  # noqa: PLC0415 - `--help` does without
    from orchestrator.leases.backoff import patient  # noqa: PLC0415 - as above

    if options["no_wait"]:
        return Manner(limit=0.0)
    limit = seconds_of(options["timeout"])
    return Manner() if limit is None else Manner(backoff=patient(limit), limit=limit)


def _standing() -> Standing:
    from orchestrator.scheduling.reservations import Standing  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.speaking import attempt_of  # noqa: PLC0415 - as above

    return Standing(Path.cwd(), attempt_of(os.environ))


def _teller(invocation: Invocation) -> Callable[[Retry], None]:
    return lambda retry: invocation.output.note(one_line(str(retry)))


def _folding(invocation: Invocation) -> Folding:
    from orchestrator.settings import working_settings  # noqa: PLC0415 - YAML

    return working_settings(invocation.repository).folding
