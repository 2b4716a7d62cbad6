"""The command line's door. ``--help`` and ``--version`` load no command: each costs what click costs.

To add a command: a module under ``orchestrator/cli/commands`` with a click command named ``command``, and
one line in :data:`COMMANDS`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from orchestrator import __version__
from orchestrator.cli.context import Group, Invocation
from orchestrator.cli.output import prepare_streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAME: Final = "planctl"
_ROOM: Final = "orchestrator.cli.commands."

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("init", "Write a commented planctl.yaml and an example plan."),
    "new": ("new", "Write a plan file from a template."),
    "lint": ("lint", "Report all problems of all plans."),
    "schema": ("schema", "Print the JSON Schema of a plan's header."),
    "graph": ("graph", "Draw the graph of plans: waves, edges, critical path."),
    "overlap": ("overlap", "Report plans that would touch the same files."),
    "run-multi": ("run_multi", "Run plans at once and land their work."),
    "run": ("run", "Run one plan and land its work."),
    "resume": ("resume", "Go on with a run that was interrupted."),
    "retry": ("retry", "Do again what failed."),
    "merge": ("merge", "Queue finished work, land it, say what became of it: for CI."),
    "queue": ("queue", "The merge queue: what is in it, why it waits, work at it."),
    "session": ("session", "Who works here: register, beat, tell, leave."),
    "task": ("task", "Tasks of plans: list, claim, start, complete."),
    "lock": ("lock", "Hold something by name, or files, and wait in line for it."),
    "sync": ("sync", "Bring this checkout to the target."),
    "revert": ("revert", "Undo what a plan landed, through the queue."),
    "status": ("status", "Show what is going on, and why it waits."),
    "logs": ("logs", "Show the output of a plan."),
    "events": ("events", "Show what happened."),
    "metrics": ("metrics", "Show figures: how much lands, how long it takes, what waits."),
    "stop": ("stop", "Stop plans, or a whole run."),
    "phase": ("phase", "Complete or list phases of plans."),
    "pointer": ("pointer", "The plan of the worktree you stand in."),
    "worktree": ("worktree", "List, add and remove worktrees of the pool."),
    "rescue": ("rescue", "Snapshots of uncommitted work."),
    "simulate": ("simulate", "Compare policies of the queue on a virtual clock."),
    "doctor": ("doctor", "Look for what is broken or left over, and mend it."),
    "watchdog": ("watchdog", "Look after what crashed sessions leave."),
    "serve": ("serve", "Answer over HTTP: health, status, metrics, doctor."),
    "notify": ("notify", "Who is told when plans land, fail or wait: list, try out."),
    "hooks": ("hooks", "Hooks of git and of coding agents that call planctl."),
    "uninstall": ("uninstall", "Take planctl out of this repository; the work stays."),
}
"""Name of the command -> (module under ``orchestrator.cli.commands``, short help), in the order of help."""


class Planctl(Group):
    """The group of all commands; loads the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load the command, or return None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(_ROOM + COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of one that does not exist those are named that it is like."""
        if args[0] not in COMMANDS:
            from difflib import get_close_matches  # noqa: PLC0415 - only a slip pays for it

            if near := get_close_matches(args[0], COMMANDS):
                ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the commands from the table, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def main(  # type: ignore[override]  # it never returns
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,  # noqa: ARG002 - click's signature
        **extra: Any,
    ) -> NoReturn:
        """Run one command line and end the process with the exit code of the contract.

        Not click's own ``main``: that ends with 1 for an interrupt and for every broken pipe. The program is
        called planctl whatever file it was started from.
        """
        if "_PLANCTL_COMPLETE" in os.environ:
            super().main(args, _NAME, **extra)
        prepare_streams()
        invocation = Invocation()
        with _threads_watched(invocation) as faults:
            code = self._run(list(sys.argv[1:] if args is None else args), invocation)
        sys.exit(3 if faults and code in (0, 1) else code)

    def _run(self, args: list[str], invocation: Invocation) -> int:
        try:
            with self.make_context(_NAME, args, obj=invocation) as context:
                code = self.invoke(context)
        except click.exceptions.Exit as asked:
            return asked.exit_code
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place that reports whatever comes
            return self._reported(error, invocation)
        return code if isinstance(code, int) else 0

    @staticmethod
    def _reported(error: BaseException, invocation: Invocation) -> int:
        from orchestrator.cli import exits  # noqa: PLC0415 - only what goes wrong pays for it

        return exits.report(error, invocation)


@contextlib.contextmanager
def _threads_watched(invocation: Invocation) -> Iterator[list[threading.ExceptHookArgs]]:
    """Report what ends a thread as it would be reported in the main one; yields the growing list of them."""
    faults: list[threading.ExceptHookArgs] = []
    before = threading.excepthook

    def hook(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_value is None or issubclass(fault.exc_type, SystemExit):
            return
        from orchestrator.cli import exits  # noqa: PLC0415 - as above

        faults.append(fault)
        exits.report(fault.exc_value, invocation)

    threading.excepthook = hook
    try:
        yield faults
    finally:
        threading.excepthook = before


def _show_version(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's call
    if value:
        context.ensure_object(Invocation).output.text(f"planctl {__version__}")
        context.exit()


@click.group(cls=Planctl, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Run many plans at once on one git repository and land their work on main, safely."""


def main() -> NoReturn:
    """The entry point of ``planctl`` and of ``python -m orchestrator.cli``."""
    cli.main()


if __name__ == "__main__":
    main()
