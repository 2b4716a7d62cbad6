"""What all commands share: ``--repo``, ``--json``, ``-q`` and ``-v``, before or after the command's name.

A command is declared with ``@click.command(cls=Command)`` (a group of commands with ``cls=Group``) and takes
``@pass_invocation`` as its first argument. It returns its exit code, or None for 0.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.output import Output, Verbosity

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings
    from worktrees.repository import Repository


class Invocation:
    """One call of planctl: where (``folder``), and how it speaks. Filled while the command line is parsed."""

    def __init__(self, folder: str | None = None, output: Output | None = None) -> None:
        self.folder = folder
        self.output = output or Output()
        self.remote: str | None = None

    @cached_property
    def repository(self) -> Repository:
        """The repository that ``--repo`` or the current folder lies in.

        Raises :class:`worktrees.errors.NotARepositoryError`.
        """
        from pathlib import Path  # noqa: PLC0415 - `--help` and `--version` do without

        from worktrees import repository  # noqa: PLC0415 - as above

        return repository.find(Path(self.folder or "."))

    def working(
        self,
        kind: str,
        *,
        override: Callable[[ProjectSettings], ProjectSettings] = lambda project: project,
        asks: bool = True,
    ) -> contextlib.AbstractContextManager[tuple[Workbench, SessionHandle]]:
        """As :func:`orchestrator.bootstrap.working`, here; a remote whose target counts is asked first."""
        from orchestrator.bootstrap import Remote, working  # noqa: PLC0415 - `--help` does without

        remote = Remote(self.remote, is_asked=asks)
        return working(self.repository, kind, override=override, tell=self.output.error, remote=remote)

    @property
    def as_json(self) -> bool:
        """Whether stdout holds JSON only."""
        return self.output.as_json


def remote_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--remote``; what it says is the invocation's ``remote``."""
    return click.option(
        "--remote",
        metavar="NAME",
        help="Land on the target of this remote, not on the local branch.",
        callback=_set_remote,
        expose_value=False,
    )(function)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


class Command(click.Command):
    """A command that knows the shared options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The help option of click, but printed where everything is printed."""
        return _with_own_printing(super().get_help_option(ctx))


class Group(click.Group):
    """A group whose commands, and the group itself, know the shared options."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The help option of click, but printed where everything is printed."""
        return _with_own_printing(super().get_help_option(ctx))


Group.group_class = Group


def shared_options() -> list[click.Option]:
    """Fresh options of every command; each writes into the :class:`Invocation`, the later one wins."""
    return [
        click.Option(
            ["--repo"],
            metavar="DIR",
            type=click.Path(file_okay=False),
            help="Work on the repository that holds DIR instead of the current folder.",
            callback=_set_folder,
            expose_value=False,
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            help="JSON on stdout and nothing else there; messages go to stderr.",
            callback=_set_json,
            expose_value=False,
        ),
        click.Option(
            ["-q", "--quiet", "verbosity"],
            flag_value=Verbosity.QUIET,
            type=click.UNPROCESSED,
            help="Only results and errors.",
            callback=_set_verbosity,
            expose_value=False,
        ),
        click.Option(
            ["-v", "--verbose", "verbosity"],
            flag_value=Verbosity.VERBOSE,
            type=click.UNPROCESSED,
            help="Say more about what is being done.",
            callback=_set_verbosity,
            expose_value=False,
        ),
    ]


def _set_remote(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from worktrees.mirror import is_remote_name  # noqa: PLC0415 - as above

    if not is_remote_name(value):
        raise click.BadParameter(f"{value!r} is not the name of a remote")
    context.ensure_object(Invocation).remote = value


def _with_own_printing(option: click.Option | None) -> click.Option | None:
    if option is not None:
        option.callback = _show_help
    return option


def _show_help(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's call
    if value and not context.resilient_parsing:
        context.ensure_object(Invocation).output.text(context.get_help())
        context.exit()


def _set_folder(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).folder = value


def _set_json(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's call
    if value:
        context.ensure_object(Invocation).output.as_json = True


def _set_verbosity(context: click.Context, _option: click.Parameter, value: Verbosity | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).output.verbosity = value
