"""``planctl task``: tasks of plans, claimed by sessions."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli.choosing import plan_option
from orchestrator.cli.context import Group, Invocation, pass_invocation
from orchestrator.cli.speaking import session_option, speaking
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.tasks import Desk
    from orchestrator.store.taskrecords import TaskRecord


@click.group("task", cls=Group)
def command() -> None:
    """Tasks, the numbered checkboxes of plans: claim one, work on it, complete it."""


@command.command("list")
@click.argument("plan", metavar="[PLAN]", required=False)
@plan_option
@pass_invocation
def show(invocation: Invocation, plan: str | None, named: str | None) -> None:
    """Show the tasks of PLAN, without PLAN of all plans, and who has which. Changes nothing."""
    from orchestrator.bootstrap import open_readonly_store  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.choosing import chosen_plan  # noqa: PLC0415 - as above
    from orchestrator.cli.display.tasks import lines  # noqa: PLC0415 - as above
    from orchestrator.clock import SystemClock  # noqa: PLC0415 - as above
    from orchestrator.services.taskrows import task_data  # noqa: PLC0415 - as above
    from orchestrator.services.tasks import Desk  # noqa: PLC0415 - as above

    repository, clock = invocation.repository, SystemClock()
    wanted = chosen_plan(invocation, plan, named) if plan or named else None
    with contextlib.closing(open_readonly_store(repository)) as store:
        desk = Desk.opened(repository, store, clock, None, os.environ)
        rows = [task_data(one, repository) for one in desk.standings() if wanted in {None, one.plan.id}]
        whose = {session.id: session for session in store.sessions()}
    if invocation.as_json:
        invocation.output.data({"tasks": rows})
        return
    for line in lines(rows, whose, clock.now()):
        invocation.output.text(*line)
    if not rows:
        invocation.output.note("no tasks")


@command.command("claim")
@click.argument("task", metavar="[TASK]", required=False)
@click.option("--next", "following", is_flag=True, help="The best open one for the session's labels.")
@click.option("--force", is_flag=True, help="Also one that is complete, or waits for others.")
@plan_option
@session_option
@pass_invocation
def claim(
    invocation: Invocation,
    /,
    task: str | None,
    named: str | None,
    speaks: str | None,
    *,
    following: bool,
    force: bool,
) -> None:
    """Claim TASK (auth-impl:1.1, or 1.1 of the plan that is meant): of all that do so, one has it.

    Exit 4 when another session has it, 1 when it is complete or waits for others.
    """
    from orchestrator.services import tasks  # noqa: PLC0415 - `--help` does without

    if (task is None) is not following:
        raise click.UsageError("name one task, or take the best one with --next")
    with _desk(invocation, speaks) as desk:
        if task is not None:
            record = tasks.claim(desk, _key(invocation, task, named), force=force)
        else:
            record = tasks.claim_next(desk, named)
        _say(invocation, desk, record, "claimed")


@command.command("start")
@click.argument("task", metavar="TASK")
@plan_option
@session_option
@pass_invocation
def start(invocation: Invocation, task: str, named: str | None, speaks: str | None) -> None:
    """Say that work on TASK has begun; its holder only (exit 1)."""
    from orchestrator.services import tasks  # noqa: PLC0415 - `--help` does without

    with _desk(invocation, speaks) as desk:
        _say(invocation, desk, tasks.start(desk, _key(invocation, task, named)), "started")


@command.command("complete")
@click.argument("task", metavar="TASK")
@click.option("--result", default="", help="What came of it, kept with the task.")
@plan_option
@session_option
@pass_invocation
def complete(invocation: Invocation, task: str, named: str | None, speaks: str | None, result: str) -> None:
    """Complete TASK, and tick its box in the plan's worktree; its holder only (exit 1)."""
    from orchestrator.services import tasks  # noqa: PLC0415 - `--help` does without

    with _desk(invocation, speaks) as desk:
        record, ticked = tasks.complete(desk, _key(invocation, task, named), result[:10_000])
        _say(invocation, desk, record, "completed", ticked=ticked)


@command.command("release")
@click.argument("task", metavar="TASK")
@click.option("--note", default="", help="For whoever takes it next.")
@plan_option
@session_option
@pass_invocation
def release(invocation: Invocation, task: str, named: str | None, speaks: str | None, note: str) -> None:
    """Give TASK back undone; its holder only (exit 1)."""
    from orchestrator.services import tasks  # noqa: PLC0415 - `--help` does without

    with _desk(invocation, speaks) as desk:
        record = tasks.release(desk, _key(invocation, task, named), note[:10_000])
        _say(invocation, desk, record, "given back")


@contextlib.contextmanager
def _desk(invocation: Invocation, speaks: str | None) -> Iterator[Desk]:
    from orchestrator.services.tasks import Desk  # noqa: PLC0415 - `--help` does without

    with speaking(invocation, speaks) as (store, clock, session):
        yield Desk.opened(invocation.repository, store, clock, session, os.environ)


def _key(invocation: Invocation, task: str, named: str | None) -> str:
    """The full id: as it is, or the number with the plan that is meant."""
    from orchestrator.cli.choosing import chosen_plan  # noqa: PLC0415 - `--help` does without
    from plans.ids import PlanId, TaskId  # noqa: PLC0415 - as above

    plan, colon, number = task.rpartition(":")
    key = TaskId.parse(number)
    return f"{PlanId.parse(plan) if colon else chosen_plan(invocation, None, named)}:{key}"


def _say(
    invocation: Invocation, desk: Desk, record: TaskRecord, what: str, *, ticked: bool | None = None
) -> None:
    from orchestrator.services.taskrows import lone_data, task_data  # noqa: PLC0415 - as above
    from plans.errors import UnknownTaskError  # noqa: PLC0415 - as above

    try:
        data = task_data(desk.find(record.id), desk.repository)
    except UnknownTaskError:
        data = lone_data(record)
    if ticked is not None:
        data = {**data, "state": record.state.value, "ticked": ticked}
    if invocation.as_json:
        invocation.output.data({"session": desk.holder.id, **data})
        return
    title = data["title"] or "it is in no plan file any more"
    invocation.output.text(one_line(f"{record.id} {what} by {desk.holder.id}: {title}"))
    if record.note:
        invocation.output.text(one_line(f"  before: {record.note}"))
    if ticked is False:
        invocation.output.note(f"there is no box of {record.id} to tick")
