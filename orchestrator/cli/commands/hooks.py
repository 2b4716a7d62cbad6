"""``planctl hooks``: git's hooks, and those of coding agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.context import Command, Group, Invocation, pass_invocation
from orchestrator.cli.exits import DONE, NO
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from worktrees.git import Git

_AGENTS: Final = ("claude", "codex", "gemini")
_WHAT: Final = ("git", *_AGENTS)
_SHOWN: Final = ("pre-commit", "reference-transaction", *_AGENTS)
_OWN: Final = "Of agents: your own settings, for all repositories, instead of this project's."


@click.group("hooks", cls=Group)
def command() -> None:
    """Hooks by which git and coding agents call planctl: guards against accidents, and who is at work."""


def _chosen(function: Callable[..., object]) -> Callable[..., object]:
    argument = click.argument("what", nargs=-1, type=click.Choice(_WHAT), metavar="[WHAT]...")
    return argument(click.option("--user", "own", is_flag=True, help=_OWN)(function))


@command.command("install", cls=Command)
@_chosen
@pass_invocation
def install(invocation: Invocation, what: tuple[str, ...], *, own: bool) -> None:
    """Write hooks of WHAT: git (when nothing is named), claude, codex, gemini. Again, where they are already.

    A hook of yours is kept and called first. Refused (exit 1) where core.hooksPath leads elsewhere, or
    planctl's hook was changed; exit 2 where the settings of an agent are not JSON.
    """
    from orchestrator.services.hooking import GIT, install_git  # noqa: PLC0415 - `--help` does without
    from worktrees.git import Git  # noqa: PLC0415 - as above

    git = Git(invocation.repository)
    target = _target(git)
    hooks = install_git(git, target) if GIT in what or not what else ()
    files = [("git", path) for path in hooks]
    files += [(name, _install_agent(git, name, target, own=own)) for name in _AGENTS if name in what]
    if invocation.as_json:
        data = [{"what": name, "path": str(path)} for name, path in files]
        invocation.output.data({"hook": str(hooks[0]) if hooks else None, "hooks": data})
        return
    for name, path in files:
        invocation.output.text(one_line(f"{name} calls planctl by {path}"))
    if "codex" in what:
        invocation.output.note("Codex runs a hook only once you have trusted it: /hooks in Codex")


def _install_agent(git: Git, name: str, target: str, *, own: bool) -> Path:
    from orchestrator.agents.known import AGENTS  # noqa: PLC0415 - as above
    from orchestrator.services.hooking import install_agent, settings_path  # noqa: PLC0415 - as above

    path = settings_path(git.repository, AGENTS[name], own=own)
    if path is None:
        raise click.UsageError("a bare repository has no project settings: --user writes your own")
    return install_agent(git, AGENTS[name], path, target)


@command.command("uninstall", cls=Command)
@_chosen
@pass_invocation
def uninstall(invocation: Invocation, what: tuple[str, ...], *, own: bool) -> int:
    """Take hooks of WHAT away (all of this repository when nothing is named); yours are as they were.

    Exit 1 when one that was changed since it was written stays, as it is yours, or settings cannot be read.
    """
    from orchestrator.services import hooking  # noqa: PLC0415 - as above

    removed = hooking.uninstall(invocation.repository, what or _WHAT, own=own)
    if invocation.as_json:
        gone, left = ([str(path) for path in paths] for paths in (removed.gone, removed.left))
        altered = left[0] if left else None
        invocation.output.data({"removed": bool(gone), "altered": altered, "gone": gone, "left": left})
        return NO if left else DONE
    for path in removed.gone:
        invocation.output.text(one_line(f"gone from {path}"))
    for path in removed.left:
        invocation.output.error(
            one_line(f"left alone: {path}, planctl's with changes of yours, or unreadable")
        )
    if not removed.gone and not removed.left:
        invocation.output.text("there was no hook of planctl's")
    return NO if removed.left else DONE


@command.command("list", cls=Command)
@pass_invocation
def list_(invocation: Invocation) -> None:
    """Show each place where a hook of planctl's stands or would, and in what state it is."""
    from orchestrator.services.hooking import places  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above

    found = places(invocation.repository, _target(Git(invocation.repository)))
    if invocation.as_json:
        rows = [
            {"what": p.what, "path": str(p.path), "state": p.state, "kept": str(p.kept) if p.kept else None}
            for p in found
        ]
        invocation.output.data({"hooks": rows})
        return
    for place in found:
        kept = f", calls {place.kept.name} first" if place.kept else ""
        invocation.output.text(one_line(f"{place.what:8} {place.state:10} {place.path}{kept}"))


@command.command("show", cls=Command)
@click.argument("name", type=click.Choice(_SHOWN), default="pre-commit", metavar="[NAME]")
@pass_invocation
def show(invocation: Invocation, name: str) -> None:
    """Print a hook, to be called from one of your own: pre-commit, reference-transaction, an agent's.

    Of an agent: the entries for its settings; the script that they call is written by `install`.
    """
    if name in _AGENTS:
        from orchestrator.agents.entries import EMPTY, put_in  # noqa: PLC0415 - as above
        from orchestrator.agents.known import AGENTS  # noqa: PLC0415 - as above

        entries = json.loads(put_in(EMPTY, AGENTS[name]))
        if invocation.as_json:
            invocation.output.data({"settings": entries})
        else:
            invocation.output.text(json.dumps(entries, indent=2))
        return
    from worktrees.git import Git  # noqa: PLC0415 - as above
    from worktrees.hookscripts import HookKind, script  # noqa: PLC0415 - as above

    content = script(HookKind(name), _target(Git(invocation.repository)))
    if invocation.as_json:
        invocation.output.data({"script": content.decode("utf-8", "backslashreplace")})
    else:
        invocation.output.raw(content)


def _target(git: Git) -> str:
    from orchestrator.settings import target_reference, working_settings  # noqa: PLC0415 - as above
    from worktrees.git import valid_reference  # noqa: PLC0415 - as above

    return valid_reference(target_reference(working_settings(git.repository).project))
