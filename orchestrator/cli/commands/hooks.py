"""``planctl hooks``: the commit hook."""

from __future__ import annotations

import click

from orchestrator.cli.context import Group, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO


@click.group("hooks", cls=Group)
def command() -> None:
    """A pre-commit hook that compares commits in plans' worktrees with what plans declared."""


@command.command("install")
@pass_invocation
def install(invocation: Invocation) -> None:
    """Write the hook; refused (exit 1) where a hook of yours is, or core.hooksPath leads elsewhere."""
    from worktrees.git import Git  # noqa: PLC0415 - `--help` does without
    from worktrees.hooks import install_hook  # noqa: PLC0415 - as above

    path = install_hook(Git(invocation.repository))
    if invocation.as_json:
        invocation.output.data({"hook": str(path)})
    else:
        invocation.output.text(f"commits in plans' worktrees are compared by {path}")


@command.command("uninstall")
@pass_invocation
def uninstall(invocation: Invocation) -> int:
    """Take the hook away; exit 1 when one that was changed since it was written stays, as it is yours."""
    from worktrees.hooks import altered_hook, uninstall_hook  # noqa: PLC0415 - as above

    repository = invocation.repository
    removed, altered = uninstall_hook(repository), altered_hook(repository)
    if invocation.as_json:
        invocation.output.data({"removed": removed, "altered": str(altered) if altered else None})
    elif altered:
        invocation.output.error(f"left alone: {altered}, planctl's with changes of yours")
    else:
        invocation.output.text("the hook is gone" if removed else "there was no hook of planctl's")
    return NO if altered else DONE


@command.command("show")
@pass_invocation
def show(invocation: Invocation) -> None:
    """Print the hook, for those who call it from a hook of their own."""
    from worktrees.hooks import hook_script  # noqa: PLC0415 - as above

    script = hook_script()
    if invocation.as_json:
        invocation.output.data({"script": script.decode("utf-8", "backslashreplace")})
    else:
        invocation.output.raw(script)
