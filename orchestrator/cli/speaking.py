"""``--session`` of commands, and how they open the books."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.cli.context import Invocation
    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session

_HELP: Final = "The session that this speaks for; else PLANCTL_SESSION says it, else the process above."


def session_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--session``, as the parameter ``speaks``."""
    return click.option("--session", "speaks", metavar="ID", help=_HELP)(function)


@contextlib.contextmanager
def speaking(
    invocation: Invocation, speaks: str | None, *, revive: bool = True
) -> Iterator[tuple[Store, Clock, Session]]:
    """The store, the clock, and the session that the command speaks for, registered and beaten.

    ``revive=False``: one that has ended stays so (SessionEndedError).
    """
    from orchestrator.bootstrap import attending  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.sessions import require_living  # noqa: PLC0415 - as above
    from orchestrator.services.speaking import named_session, noted_place, speaker  # noqa: PLC0415 - as above

    with attending(invocation.repository) as (store, clock):
        if not revive and (key := named_session(speaks, os.environ)) is not None:
            require_living(store, key)
        found = speaker(store, clock, speaks, os.environ, expiry=session_expiry(invocation))
        yield store, clock, noted_place(store, found, invocation.repository)


def session_expiry(invocation: Invocation) -> float:
    """How long an agent's session lasts without a word, as ``leases:`` of ``planctl.yaml`` says."""
    from orchestrator.settings import working_settings  # noqa: PLC0415 - YAML

    return working_settings(invocation.repository).project.leases_session


def seconds_of(text: str | None) -> float | None:
    """Seconds of an option such as ``90s`` or ``5m``."""
    from plans.errors import BadValueError  # noqa: PLC0415 - as above
    from plans.quantities import parse_duration  # noqa: PLC0415 - as above

    if text is None:
        return None
    try:
        return parse_duration(text)
    except BadValueError as error:
        raise click.UsageError(error.message) from error
