"""``planctl logs``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from orchestrator.cli.choosing import chosen_plan, plan_option
from orchestrator.cli.context import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.cli.output import Output
    from orchestrator.services.logs import PlanLog


@click.command("logs", cls=Command)
@click.argument("plan", metavar="[PLAN]", required=False)
@plan_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the attempt ends, whoever conducts it.")
@pass_invocation
def command(invocation: Invocation, plan: str | None, named: str | None, *, follow: bool) -> None:
    """Show the output of a plan's newest attempt.

    Exactly as it was written; on a terminal without what could repaint it. With --json, one object a line.
    """
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services import logs  # noqa: PLC0415 - as above

    repository, output = invocation.repository, invocation.output
    with contextlib.closing(open_readonly_store(repository)) as store:
        log = logs.log_of(repository, store, chosen_plan(invocation, plan, named))
    if not follow:
        _show(output, log, logs.content(log))
        return
    chunks = logs.followed(
        repository, log, SystemClock(), lambda: open_readonly_store(repository), lambda: output.is_cut
    )
    _show(output, log, chunks)
    if log.attempt is None:
        return
    with contextlib.closing(open_readonly_store(repository)) as store:
        attempt = store.attempt(log.attempt.id)
        if attempt is not None:
            output.note(f"{log.plan} is {attempt.state}")


def _show(output: Output, log: PlanLog, chunks: Iterable[bytes]) -> None:
    if output.as_json:
        attempt = log.attempt.id if log.attempt else None
        for line in _lines(chunks):
            text = line.decode("utf-8", "surrogateescape")
            output.data({"plan": log.plan, "attempt": attempt, "line": text})
    elif output.is_terminal():
        _show_harmless(output, chunks)
    else:
        for chunk in chunks:
            output.raw(chunk)


def _show_harmless(output: Output, chunks: Iterable[bytes]) -> None:
    from orchestrator.cli.display.harmless import Harmless  # noqa: PLC0415 - for terminals only

    colour = output.has_colour()
    harmless = Harmless(colour=colour)
    for chunk in chunks:
        output.raw(harmless.feed(chunk).encode())
    output.raw((harmless.feed(b"", last=True) + ("\x1b[0m" if colour else "")).encode())


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
