"""``planctl queue``: the merge queue."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.context import Group, Invocation, pass_invocation, remote_option
from orchestrator.cli.output import Colour
from orchestrator.cli.priorities import priority
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.services.resolve import ByHand
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings

_LOOK: Final = 0.5
"""Seconds between two looks into the store, which is a copy of it."""
_METHODS: Final = ("merge", "squash", "rebase")


@click.group("queue", cls=Group)
def command() -> None:
    """The merge queue: what is in it, why it waits, and work at it."""


def with_check(check: str | None) -> Callable[[ProjectSettings], ProjectSettings]:
    """The override of the settings that ``--check`` asks for."""
    return lambda project: replace(project, check=check) if check is not None else project


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Entries that have ended, too.")
@remote_option
@pass_invocation
def show(invocation: Invocation, *, every: bool) -> None:
    """List the entries in the order of the queue, and those that wait for a person."""
    from orchestrator.cli.display.queuelist import show_queue  # noqa: PLC0415 - `--help` does without
    from orchestrator.cli.glance import listed  # noqa: PLC0415 - as above

    found = listed(invocation.repository, invocation.remote, every=every)
    if invocation.as_json:
        invocation.output.document(found)
    else:
        show_queue(invocation.output, found)


@command.command("add")
@click.argument("names", nargs=-1, required=True, metavar="PLAN|BRANCH...")
@click.option("--priority", type=priority, help="Its place in the queue; 50 unless the plan says otherwise.")
@click.option("--method", type=click.Choice(_METHODS), help="How it is brought onto the target.")
@remote_option
@pass_invocation
def add(invocation: Invocation, names: tuple[str, ...], priority: float | None, method: str | None) -> None:
    """Queue the work of plans, or branches; what came to nothing is tried anew, as its branch is now."""
    from orchestrator.services.enqueue import add as enqueue  # noqa: PLC0415 - as above
    from orchestrator.services.enqueue import bring_branches  # noqa: PLC0415 - as above
    from orchestrator.submitting.standstill import shown as shown_as  # noqa: PLC0415 - as above

    with invocation.working("command") as (bench, _):
        bring_branches(bench, names)
        with bench.store.transaction():
            added = [enqueue(bench, name, priority=priority, method=method).id for name in names]
        entries = _placed(bench, dict.fromkeys(added))
    if invocation.as_json:
        invocation.output.document({"entries": entries})
        return
    _show_places(invocation, entries)
    for entry in entries:
        if priority not in (None, entry["priority"]):
            name, kept = entry["plan"] or entry["branch"], shown_as(entry["priority"])
            invocation.output.note(f"{name} keeps its priority {kept}: `planctl queue jump {name}` lifts it")


def _placed(bench: Workbench, ids: Iterable[str]) -> list[dict[str, Any]]:
    """The entries of these ids with their places in the queue."""
    from orchestrator.services.queuerows import queue_entries  # noqa: PLC0415 - as above

    shown = {e["id"]: e for e in queue_entries(bench.store.entries(target=bench.target), every=True)}
    return [shown[key] for key in ids]


def _show_places(invocation: Invocation, entries: Iterable[Mapping[str, Any]]) -> None:
    for entry in entries:
        place = f" at place {entry['position']}" if entry["position"] else ""
        invocation.output.text(
            f"{entry['plan'] or entry['branch']} is {entry['state']}{place}: {entry['id']}"
        )


@command.command("run")
@click.option("--once", is_flag=True, help="End when nothing more can land now.")
@click.option("--check", metavar="CMD", help="Check the merged result with this command line.")
@click.option("--allow-policy-change", is_flag=True, help="Let entries change what guards the target.")
@remote_option
@pass_invocation
def run(invocation: Invocation, check: str | None, *, once: bool, allow_policy_change: bool) -> None:
    """Work at the queue until Ctrl-C or SIGTERM; beside another worker, stand by until it ends."""
    from orchestrator.cli.display.entries import QueueFeed  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import interruptible  # noqa: PLC0415 - as above
    from orchestrator.services.queue import let_pass, serve  # noqa: PLC0415 - as above
    from orchestrator.states import EntryState  # noqa: PLC0415 - as above

    override = with_check(check)
    with (
        interruptible() as cancel,
        invocation.working("queue", override=override) as (bench, session),
    ):
        feed = QueueFeed(invocation.output, bench.store)
        feed.skip()
        if allow_policy_change:
            let_pass(bench, bench.store.entries(target=bench.target, states={EntryState.HELD}))
        serve(
            bench,
            session,
            cancel=cancel,
            once=once,
            allow_policy_change=allow_policy_change,
            on_change=feed.show,
        )
        feed.show()


@command.command("drop")
@click.argument("name", metavar="ENTRY")
@remote_option
@pass_invocation
def drop(invocation: Invocation, name: str) -> None:
    """Take an entry (its id, plan or branch) out of the queue; branch and worktree stay."""
    from orchestrator.services import queue  # noqa: PLC0415 - as above
    from orchestrator.services.queuerows import entry_json  # noqa: PLC0415 - as above

    with invocation.working("command", asks=False) as (bench, session):
        entry = queue.drop(bench, name)
        queue.call_off(bench, session)
    if invocation.as_json:
        invocation.output.document(entry_json(entry, None))
    else:
        invocation.output.text(f"{entry.plan or entry.branch} is dropped; its branch {entry.branch} stays")


@command.command("jump")
@click.argument("name", metavar="ENTRY")
@remote_option
@pass_invocation
def jump(invocation: Invocation, name: str) -> None:
    """Lift an entry (its id, plan or branch) to the head of the queue, behind what it lands after."""
    from orchestrator.services.jumping import jump as lift  # noqa: PLC0415 - as above

    with invocation.working("command", asks=False) as (bench, _):
        jumped = lift(bench, name)
        entries = _placed(bench, [entry.id for entry in jumped.line])
    if invocation.as_json:
        found = {"entries": entries, "awaits": list(jumped.awaits), "changed": jumped.is_new}
        invocation.output.document(found)
        return
    _show_places(invocation, entries)
    if jumped.awaits:
        invocation.output.note("it still waits for ", ", ".join(jumped.awaits))
    if jumped.at_turn:
        invocation.output.note("it is at its turn, and first again if it comes back from there")
    elif not jumped.is_new:
        invocation.output.note("it was first already: nothing has changed")


@command.command("resolve")
@click.argument("name", metavar="ENTRY")
@click.option(
    "--prepare", is_flag=True, help="Only prepare the merge in the plan's worktree, for you to finish."
)
@remote_option
@pass_invocation
def resolve(invocation: Invocation, name: str, *, prepare: bool) -> int:
    """Hand an entry's conflict (its id, plan or branch) to the resolver, and queue what it makes of it.

    Without `resolver:` in planctl.yaml, or with --prepare, the merge is prepared for you. Exit 1 while the
    conflict stands.
    """
    from orchestrator.cli.display.entries import show_ended  # noqa: PLC0415 - as above
    from orchestrator.cli.exits import DONE, NO  # noqa: PLC0415 - as above
    from orchestrator.cli.interrupts import interruptible  # noqa: PLC0415 - as above
    from orchestrator.services import resolve as service  # noqa: PLC0415 - as above
    from orchestrator.services.queuerows import entry_json  # noqa: PLC0415 - as above
    from orchestrator.states import EntryState  # noqa: PLC0415 - as above

    output = invocation.output
    with (
        interruptible() as cancel,
        invocation.working("queue") as (bench, session),
    ):
        if prepare or not bench.settings.project.resolver:
            _show_prepared(invocation, service.prepare(bench, session, name))
            return NO
        entry = service.resolve(bench, session, name, cancel=cancel)
    if invocation.as_json:
        output.document(entry_json(entry, None))
    elif entry.state in (EntryState.CONFLICTED, EntryState.RESOLVING):
        show_ended(output, entry, is_landed=False)
    else:
        output.text(f"{entry.plan or entry.branch} is {entry.state}: {entry.id}")
    return NO if entry.state in (EntryState.CONFLICTED, EntryState.RESOLVING) else DONE


def _show_prepared(invocation: Invocation, found: ByHand) -> None:
    if invocation.as_json:
        where = {"entry": found.entry.id, "worktree": str(found.worktree), "paths": list(found.paths)}
        invocation.output.document({**where, "kept": found.kept or None})
        return
    invocation.output.text(f"the merge is prepared in {found.worktree}, with conflicts in:")
    for path in found.paths:
        invocation.output.text("  ", one_line(path))
    said = f"mend them there, `git add` and `git commit`, then `planctl queue add {found.name}`"
    invocation.output.text(("  hint: ", Colour.DIM), f"{said}; {found.kept}" if found.kept else said)


@command.command("pause")
@click.option("--below", type=priority, help="Only entries of a priority below this wait.")
@click.option("--why", metavar="TEXT", type=one_line, default="", help="Shown to everybody who waits.")
@remote_option
@pass_invocation
def pause(invocation: Invocation, below: float | None, why: str) -> None:
    """Let nothing land until `queue resume`; what is landing this moment lands."""
    from orchestrator.services import queue  # noqa: PLC0415 - as above

    with invocation.working("command", asks=False) as (bench, _):
        if below is None:
            shown = queue.pause(bench, why)
            _say(invocation, {"paused": shown}, f"the queue stands still: {shown}")
            return
        frozen = queue.freeze(bench, below, why)
    said = {"frozen": frozen.freeze.as_json(), "holds": frozen.held}
    _say(invocation, said, f"{frozen.freeze}; {frozen.held} of {frozen.open} entries wait for that")


@command.command("resume")
@click.option("--lanes", is_flag=True, help="Lanes that were merged for a missed conflict are apart again.")
@remote_option
@pass_invocation
def resume(invocation: Invocation, *, lanes: bool) -> None:
    """Let the queue go on: after a pause, of all or below a priority, and after the target was red."""
    from orchestrator.services import queue  # noqa: PLC0415 - as above

    with invocation.working("command", asks=False) as (bench, _):
        queue.resume(bench, lanes=lanes)
    _say(invocation, {"paused": None, "frozen": None}, "the queue goes on")


def _say(invocation: Invocation, found: dict[str, Any], words: str) -> None:
    if invocation.as_json:
        invocation.output.data(found)
    else:
        invocation.output.text(words)


@command.command("explain")
@click.argument("name", metavar="ENTRY")
@remote_option
@pass_invocation
def explain(invocation: Invocation, name: str) -> None:
    """Say why an entry (its id, plan or branch) is where it is, and what would change that."""
    from orchestrator.bootstrap import looking  # noqa: PLC0415 - as above
    from orchestrator.cli.display.explaining import show_explained  # noqa: PLC0415 - as above
    from orchestrator.services import explaining  # noqa: PLC0415 - as above

    found = explaining.explain(looking(invocation.repository, invocation.remote), name)
    if invocation.as_json:
        invocation.output.document(found)
    else:
        show_explained(invocation.output, found)


@command.command("log")
@click.argument("name", metavar="[ENTRY]", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now, until Ctrl-C.")
@remote_option
@pass_invocation
def log(invocation: Invocation, name: str | None, *, follow: bool) -> None:
    """Show what happened at the queue, or to one entry; with --json one object a line."""
    from orchestrator.bootstrap import looking, open_readonly_store  # noqa: PLC0415 - as above
    from orchestrator.cli.display.entries import QueueFeed  # noqa: PLC0415 - as above
    from orchestrator.services.entries import require_entry  # noqa: PLC0415 - as above

    bench = looking(invocation.repository, invocation.remote)
    entry = require_entry(bench, name).id if name else None
    feed = QueueFeed(invocation.output, bench.store, entry=entry, whole=True)
    feed.show()
    while follow and not invocation.output.is_cut:
        bench.clock.wait(threading.Event(), _LOOK)
        with contextlib.closing(open_readonly_store(invocation.repository)) as store:
            feed.show(store)
