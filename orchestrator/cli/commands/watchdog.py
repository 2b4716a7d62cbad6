"""``planctl watchdog``: looks after what crashed sessions leave, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO, SIGNALLED
from orchestrator.cli.speaking import seconds_of
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.services.watchdog.report import Swept
    from orchestrator.services.watchdog.watch import Watchdog

_OFTEN: Final = 0.1
_SELDOM: Final = 86_400.0


@click.command("watchdog", cls=Command)
@click.option("--once", is_flag=True, help="One sweep, for cron and CI; exit 1 if it found something.")
@click.option("--every", metavar="TIME", help="Sweep so often (10s).")
@click.option("--grace", metavar="TIME", help="Between TERM and KILL (5s).")
@click.option("--end-silent", is_flag=True, help="End living processes of overdue sessions, too.")
@click.option("--until-idle", is_flag=True, help="End when nobody else works here any more.")
@click.option("--pause", metavar="WHY", help="Let no watchdog do anything here, until --resume.")
@click.option("--resume", is_flag=True, help="Let them go on.")
@pass_invocation
def command(invocation: Invocation, /, pause: str | None, *, resume: bool, **options: Any) -> int:
    """End what crashed sessions left running, keep their uncommitted work, give back what they held.

    One watchdog of a repository is at work at a time; a second one stands by, and takes over when the first
    is gone. With --once a second one does nothing, and says so. Each thing done is a line in
    .git/planctl/logs/cleanup.log.
    """
    if pause is not None and (resume or not pause.strip()):
        raise click.UsageError("--pause takes the reason, which others are shown, and not --resume")
    if pause is not None or resume:
        return _paused(invocation, pause)
    every, grace = seconds_of(options.pop("every")), seconds_of(options.pop("grace"))
    if options["once"] and (every is not None or options["until_idle"]):
        raise click.UsageError("--once is one sweep: --every and --until-idle are of a watchdog that stays")
    if every is not None and not _OFTEN <= every <= _SELDOM:
        raise click.UsageError(f"--every is between {_OFTEN} s and a day")
    return _watch(invocation, every, grace, options)


def _paused(invocation: Invocation, why: str | None) -> int:
    from orchestrator.bootstrap import attending  # noqa: PLC0415 - `--help` does without
    from orchestrator.services.watchdog import election  # noqa: PLC0415 - as above

    with attending(invocation.repository) as (store, clock):
        election.pause(store, clock, why)
    if invocation.as_json:
        invocation.output.data({"paused": why})
    else:
        invocation.output.text("watchdogs may go on" if why is None else one_line(f"paused: {why}"))
    return DONE


def _watch(invocation: Invocation, every: float | None, grace: float | None, options: dict[str, Any]) -> int:
    from orchestrator.bootstrap import thread_store, watching  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import catching  # noqa: PLC0415 - as above
    from orchestrator.services.watchdog.log import CleanupLog  # noqa: PLC0415 - as above
    from orchestrator.services.watchdog.sweep import GRACE, Post  # noqa: PLC0415 - as above
    from orchestrator.services.watchdog.watch import EVERY, Watchdog  # noqa: PLC0415 - as above

    repository = invocation.repository
    note = "--once" if options["once"] else ""
    with catching() as (ended, caught), watching(repository, note) as (session, bench):
        store = thread_store(repository)()
        post = Post(
            repository,
            session,
            store,
            bench,
            CleanupLog(repository.state_dir, session.clock),
            GRACE if grace is None else grace,
            options["end_silent"],
        )
        try:
            watchdog = Watchdog(post, ended, lambda swept: _show(invocation, swept))
            if options["once"]:
                code = _sweep(invocation, watchdog)
            else:
                watchdog.watch(EVERY if every is None else every, until_idle=options["until_idle"])
                session.require_alive()
                code = DONE
        finally:
            store.close()
    return SIGNALLED + caught[0] if caught else code


def _sweep(invocation: Invocation, watchdog: Watchdog) -> int:
    swept = watchdog.once()
    _show(invocation, swept)
    return NO if swept.found else DONE


def _show(invocation: Invocation, swept: Swept) -> None:
    from orchestrator.services.watchdog.report import swept_data, swept_lines  # noqa: PLC0415 - as above

    if invocation.as_json:
        invocation.output.data(swept_data(swept))
        return
    for line in swept_lines(swept):
        invocation.output.text(one_line(line))
