"""``planctl serve``: doctor, status and figures over HTTP, and the watchdog, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, SIGNALLED
from orchestrator.servingerrors import MissingExtraError
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from orchestrator.services.watchdog.report import Swept
    from orchestrator.web.place import Place

_PORT = 7526  # PLAN on the keys of a telephone
_LAST_PORT = 65535


@click.command("serve", cls=Command)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="Listen there (127.0.0.1).")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, _LAST_PORT),
    default=_PORT,
    help=f"Listen on this port ({_PORT}); 0 takes any that is free.",
)
@click.option(
    "--allow-host", "names", metavar="NAME", multiple=True, help="A further name that it may be asked by."
)
@pass_invocation
def command(invocation: Invocation, host: str, port: int, names: tuple[str, ...]) -> int:
    """Answer over HTTP: /health, /status, /metrics, /doctor. Needs planctl[web].

    Listens on this machine alone unless told otherwise. What changes something needs the token, which is in a
    file that only you can read; where other machines can reach it, reading needs it, too. Beside that it
    stands for the watchdog, as a run does.
    """
    serving = _required()
    from orchestrator.cli.interrupts import catching  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.watchdog.watch import is_turned_off  # noqa: PLC0415 - as above
    from orchestrator.web.gate import is_name  # noqa: PLC0415 - as above
    from orchestrator.web.place import Wish  # noqa: PLC0415 - as above

    for name in names:
        if not is_name(name.lower()):
            raise click.BadParameter(f"{name!r} is neither a name nor an address", param_hint="--allow-host")
    wish = Wish(host, port, frozenset(name.lower() for name in names))
    voice = _voice(invocation, serving)
    with catching() as (ended, caught):
        serving.serve(invocation.repository, wish, ended, voice, watches=not is_turned_off())
    return SIGNALLED + caught[0] if caught else DONE


def _required() -> ModuleType:
    """The room that needs the extra; raises MissingExtraError without it."""
    try:
        from orchestrator.web import serving  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in {"orchestrator", "worktrees", "plans"}:
            raise  # a bug of ours
        raise MissingExtraError("serve", library, "web") from error
    return serving


def _voice(invocation: Invocation, serving: ModuleType) -> Any:
    from orchestrator.cli.exits import told_elsewhere  # noqa: PLC0415 - as above

    output = invocation.output

    def told(error: Exception) -> Mapping[str, Any]:
        return told_elsewhere(error, invocation)

    def begun(place: Place, token: Path, session: str) -> None:
        _show(invocation, place, token, session)

    def swept(done: Swept) -> None:
        from orchestrator.services.watchdog.report import swept_lines  # noqa: PLC0415 - when there is something

        for line in swept_lines(done):
            output.note(one_line(f"watchdog: {line}"))

    return serving.Voice(begun, output.note, swept, told)


def _show(invocation: Invocation, place: Place, token: Path, session: str) -> None:
    output = invocation.output
    if not place.is_loopback:
        output.error("planctl: other machines can reach it, and nothing is secret on its way without TLS")
    if invocation.as_json:
        output.data(
            {
                "url": place.url,
                "address": place.address,
                "port": place.port,
                "session": session,
                "token_file": str(token),
                "private": not place.is_loopback,
            }
        )
        return
    output.text(one_line(f"serving {invocation.repository.name} at {place.url}"))
    output.text(one_line(f"token {'for changes' if place.is_loopback else 'for everything'}: {token}"))
