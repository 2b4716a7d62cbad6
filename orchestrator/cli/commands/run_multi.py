"""``planctl run-multi``: the main job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation, remote_option

if TYPE_CHECKING:
    from orchestrator.services.begin import Request
    from plans.project import ProjectSettings

_MODES = ("serialize", "isolate", "forbid")


@click.command("run-multi", cls=Command)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--all", "every", is_flag=True, help="Run every plan.")
@click.option("--with-deps", "with_dependencies", is_flag=True, help="Run what these plans depend on, too.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Run at most so many commands at once.")
@click.option("--check", metavar="CMD", help="Check the merged result with this command line.")
@click.option("--overlap", "mode", type=click.Choice(_MODES), help="What to do with plans that overlap.")
@click.option("--from", "revision", metavar="REV", help="Read the plan files from this revision.")
@click.option("--adopt", is_flag=True, help="Start from branches that exist already, whoever made them.")
@click.option("--again", is_flag=True, help="Run plans that have landed unchanged, too.")
@click.option("--no-land", is_flag=True, help="Stop when the plans have finished; land nothing.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option("--keep-going", is_flag=True, help="Start further plans after one has failed.")
@remote_option
@pass_invocation
def command(invocation: Invocation, /, **options: Any) -> int:
    """Run PLANs (ids or paths) at once, each in a worktree of its own, and land their work.

    Dependencies come first, plans that would touch the same files one after another. Exit 0 when all have
    landed (or finished, with --no-land), else 1.
    """
    return run_plans(invocation, options)


def run_plans(invocation: Invocation, options: dict[str, Any]) -> int:
    """Run what ``options`` ask for, under the names of the options of ``run-multi``."""
    from orchestrator.cli.display.conducting import Stand, conduct  # noqa: PLC0415 - as above
    from orchestrator.cli.display.interrupts import Interrupts  # noqa: PLC0415 - as above
    from orchestrator.services.readiness import begin_run  # noqa: PLC0415 - as above

    request = _request(options)
    if options["dry_run"]:
        return _dry_run(invocation, request)

    def override(project: ProjectSettings) -> ProjectSettings:
        return replace(project, check=request.check) if request.check is not None else project

    with (
        Interrupts() as interrupts,
        invocation.working("run", override=override) as (bench, session),
    ):
        run, outlook = begin_run(bench, request, Path.cwd(), interrupts.check)
        return conduct(Stand(invocation.output, bench, session, interrupts), run, outlook)


def _request(options: dict[str, Any]) -> Request:
    from orchestrator.services.begin import Request  # noqa: PLC0415 - as above
    from plans.project import OverlapMode  # noqa: PLC0415 - as above

    return Request(
        names=options["plans"],
        every=options["every"],
        with_dependencies=options["with_dependencies"],
        jobs=options["jobs"] or 0,
        check=options["check"],
        mode=OverlapMode(options["mode"]) if options["mode"] else None,
        revision=options["revision"],
        adopt=options["adopt"],
        again=options["again"],
        land=not options["no_land"],
        keep_going=options["keep_going"],
    )


def _dry_run(invocation: Invocation, request: Request) -> int:
    from orchestrator.bootstrap import looking  # noqa: PLC0415 - as above
    from orchestrator.services.schedule import forecast, show_forecast  # noqa: PLC0415 - as above

    bench = looking(invocation.repository, invocation.remote)
    found = forecast(bench, request, Path.cwd())
    if invocation.as_json:
        invocation.output.document(found)
    else:
        invocation.output.text(show_forecast(found))
    return 0
