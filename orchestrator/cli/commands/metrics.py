"""``planctl metrics``: loads click, sqlite3 and little else, since it is called often."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from orchestrator.services.metrics import Metrics


@click.command("metrics", cls=Command)
@click.option("--since", metavar="WHEN", help="Only what happened from then on: 7d, 90m, 2026-11-21, a time.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "prometheus")),
    default="text",
    help="Tables, one JSON object, or Prometheus' text format.",
)
@pass_invocation
def command(invocation: Invocation, since: str | None, form: str) -> None:
    """Show figures: plans, durations, waits, landings, checks, the queue, velocity. Changes nothing."""
    from orchestrator.services.metrics import metrics_data  # noqa: PLC0415 - `--help` does without

    if since is not None and form == "prometheus":
        raise click.UsageError("Prometheus counts from the beginning: --since is what its rate() is for")
    if invocation.as_json and form == "prometheus":
        raise click.UsageError("--json and --format prometheus are two formats")
    metrics, output = _measured(invocation, since), invocation.output
    if form == "prometheus":
        from orchestrator.services.prometheus import exposition  # noqa: PLC0415 - as above

        repository = invocation.repository
        output.raw(exposition(metrics, str(repository.primary_top or repository.common_dir)))
    elif invocation.as_json or form == "json":
        output.data(metrics_data(metrics))
    else:
        from orchestrator.cli.display.figures import lines  # noqa: PLC0415 - as above

        for line in lines(metrics):
            output.text(*line)


def _measured(invocation: Invocation, since: str | None) -> Metrics:
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - as above
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services.metrics import measure  # noqa: PLC0415 - as above

    clock = SystemClock()
    begin = None if since is None else _moment(since, clock.now())
    with contextlib.closing(open_readonly_store(invocation.repository, verify=False)) as store:
        return measure(store, clock, begin)


def _moment(since: str, now: str) -> str:
    """A duration back from now, or a date or time (in UTC where it names no other)."""
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    from orchestrator.clock import written  # noqa: PLC0415 - as above
    from orchestrator.services.metrics import moment  # noqa: PLC0415 - as above
    from plans.errors import BadValueError  # noqa: PLC0415 - as above
    from plans.quantities import parse_duration  # noqa: PLC0415 - as above

    with contextlib.suppress(BadValueError):  # no duration: then a date
        return moment(now, parse_duration(since))
    try:
        at = datetime.fromisoformat(since)
        return written(at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{since!r} is neither a duration (7d, 90m) nor a time (2026-11-21)", param_hint="--since"
        ) from error
