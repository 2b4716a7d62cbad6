"""Hooks by which others call planctl: git's, and those of coding agents. Installed, looked at, taken out.

Order of an agent's: first the script in the hooks folder, which the entry calls, then the entry; taken out
the other way round. The script goes with the last entry that names it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.agents.entries import EMPTY, EntryState, Made, put_in, state_of, take_out
from orchestrator.agents.jsontext import NotJsonError
from orchestrator.agents.known import AGENTS, Agent
from orchestrator.errors import AgentSettingsError
from plans.effects import create_atomic, step, write_atomic
from worktrees.hooks import altered_hooks, install_hook, look, uninstall_hooks
from worktrees.hookscripts import GIT_HOOKS, HookKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.repository import Repository

GIT: Final = "git"
SESSION: Final = "session"
_REFUSED: Final = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of planctl's hooks stands or would: ``state`` is a HookState or an EntryState."""

    what: str
    path: Path
    state: str
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """What went, and what stays because somebody has changed it or it cannot be read."""

    gone: tuple[Path, ...]
    left: tuple[Path, ...]


def install_git(git: Git, target: str) -> tuple[Path, ...]:
    """Git's hooks for this repository; ``target`` is the full name of the branch that work lands on."""
    return tuple(install_hook(git, kind, target) for kind in GIT_HOOKS)


def install_agent(git: Git, agent: Agent, path: Path, target: str) -> Path:
    """The entries of ``agent`` in its settings at ``path``; harmless when they are there.

    Raises AgentSettingsError, nothing changed, where that file cannot be read as the agent reads it, or not
    be written.
    """
    content = _read(path, agent)
    made = Made.NOTHING if content is not None else Made.FILE if path.parent.is_dir() else Made.FOLDER
    text = _put_in(EMPTY if content is None else content, agent, path, made)
    install_hook(git, HookKind.SESSION, target)
    if text == content:
        return path
    try:
        _write(path, text, is_new=content is None)
    except AgentSettingsError:
        uninstall_hooks(git.repository, _uncalled(git.repository))
        raise
    return path


def _write(path: Path, text: str, *, is_new: bool) -> None:
    with _writable(path), step("hooks.settings"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_new:
            write_atomic(path.resolve(), text.encode())
        elif not create_atomic(path, text.encode()):
            raise AgentSettingsError(path, "somebody has just made it; try again")


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Raise AgentSettingsError where the user may not write there (a full disk is told as such)."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise AgentSettingsError(path, f"it cannot be written: {error.strerror}") from error


def _put_in(text: str, agent: Agent, path: Path, made: Made) -> str:
    if state_of(text, agent) is EntryState.ALTERED:
        raise AgentSettingsError(path, "it has planctl's entries with changes of yours: take them out first")
    try:
        return put_in(text, agent, made)
    except NotJsonError as error:
        raise AgentSettingsError(path, str(error)) from error


def uninstall_agent(agent: Agent, path: Path) -> bool:
    """Take its entries out of the settings at ``path``, the file too if it was made for them.

    Whether there were any. Raises AgentSettingsError where the file cannot be read, or not be written.
    """
    content = _read(path, agent) if _is_mentioned(path) else None
    if content is None:
        return False
    try:
        text, made = take_out(content, agent)
    except NotJsonError as error:
        raise AgentSettingsError(path, str(error)) from error
    if text == content:
        return False
    with _writable(path), step("hooks.settings"):
        if made is Made.NOTHING:
            write_atomic(path.resolve(), text.encode())
        else:
            path.unlink()
            if made is Made.FOLDER and not any(path.parent.iterdir()):
                path.parent.rmdir()
    return True


def refresh(git: Git, kind: HookKind, target: str) -> None:
    """Write one of planctl's scripts anew."""
    install_hook(git, kind, target)


def uninstall(repository: Repository, wanted: Sequence[str], *, own: bool = False) -> Removed:
    """Take out those of ``wanted`` (git, names of agents); ``own``: of agents, the user's settings."""
    gone, left = [], []
    for agent in (AGENTS[name] for name in wanted if name in AGENTS):
        path = settings_path(repository, agent, own=own)
        if path is None:
            continue
        try:
            if uninstall_agent(agent, path):
                gone.append(path)
        except AgentSettingsError:
            left.append(path)
            continue
        if _entry_state(agent, path) is EntryState.ALTERED:
            left.append(path)
    kinds = [*(GIT_HOOKS if GIT in wanted else ()), *_uncalled(repository)]
    gone += uninstall_hooks(repository, kinds)
    return Removed(tuple(gone), (*left, *altered_hooks(repository)))


def uninstall_all(repository: Repository) -> Removed:
    """All of this repository; entries in the user's own settings find no script here then, and do nothing."""
    removed = uninstall(repository, (GIT, *AGENTS))
    return Removed((*removed.gone, *uninstall_hooks(repository)), removed.left)


def altered(repository: Repository) -> tuple[Path, ...]:
    """What would stay: planctl's with changes of somebody's, settings that cannot be read."""
    stays = (EntryState.ALTERED, EntryState.UNREADABLE)
    entries = tuple(place.path for place in _of_agents(repository, both=False) if place.state in stays)
    return (*altered_hooks(repository), *entries)


def places(repository: Repository, target: str) -> tuple[Place, ...]:
    """Every hook of planctl's for this repository, in order; the script of agents only where it counts."""
    found = [_of_git(repository, kind, target) for kind in GIT_HOOKS]
    entries = tuple(_of_agents(repository))
    script = _of_git(repository, HookKind.SESSION, target)
    if script.state != "absent" or any(place.state != EntryState.ABSENT for place in entries):
        found.append(script)
    return (*found, *entries)


def settings_path(repository: Repository, agent: Agent, *, own: bool) -> Path | None:
    """Where the agent's settings are; None of the project where the repository is bare."""
    if own:
        return agent.own_settings(os.environ)
    top = repository.primary_top
    return None if top is None else agent.settings(top)


def _of_git(repository: Repository, kind: HookKind, target: str) -> Place:
    hook = look(repository, kind, target)
    return Place(GIT if kind in GIT_HOOKS else SESSION, hook.path, str(hook.state), hook.kept)


def _of_agents(repository: Repository, *, both: bool = True) -> Iterator[Place]:
    for agent in AGENTS.values():
        for own in (False, True) if both else (False,):
            path = settings_path(repository, agent, own=own)
            state = EntryState.ABSENT if path is None else _entry_state(agent, path)
            if path is not None and (state is not EntryState.ABSENT or not own):
                yield Place(agent.name, path, str(state))


def _uncalled(repository: Repository) -> Sequence[HookKind]:
    """The script of agents, where no entry is left that calls it, or may."""
    called = any(place.state != EntryState.ABSENT for place in _of_agents(repository))
    return () if called else (HookKind.SESSION,)


def _entry_state(agent: Agent, path: Path) -> EntryState:
    try:
        content = _read(path, agent) if _is_mentioned(path) else None
    except AgentSettingsError:
        return EntryState.UNREADABLE
    return EntryState.ABSENT if content is None else state_of(content, agent)


def _is_mentioned(path: Path) -> bool:
    """Whether planctl's script is named there; how a file is that does not name it is not our business."""
    try:
        return path.is_file() and HookKind.SESSION.encode() in path.read_bytes()
    except OSError:
        return False


def _read(path: Path, agent: Agent) -> str | None:
    """Its text; None when it is not there. A pipe is not opened: nobody may ever write to it."""
    if os.path.lexists(path) and not path.is_file():
        raise AgentSettingsError(path, f"{agent.name}'s settings are no file, or a link that leads nowhere")
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AgentSettingsError(path, f"{agent.name}'s settings cannot be read: {error}") from error
