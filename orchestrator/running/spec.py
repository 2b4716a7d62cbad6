"""What is asked of a supervisor, and what it answers, as frozen values."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LaunchFailedError
from orchestrator.running.records import How
from plans import systems

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GRACE: Final = 10.0
"""Seconds between TERM and KILL unless somebody says otherwise."""
_ATTEMPT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Outcome(StrEnum):
    """How a command came to its end. The first cause counts.

    ``exited``: by itself, with a status or a signal that planctl did not send. ``timed_out``, ``stopped``
    (somebody asked), ``parent_died``: its supervisor ended it. ``lost``: its supervisor was killed; the exit
    status is unknowable, and nobody records it.
    """

    EXITED = How.EXITED
    TIMED_OUT = How.TIMED_OUT
    STOPPED = How.STOPPED
    PARENT_DIED = How.PARENT_DIED
    LOST = How.LOST


class ParentDeath(StrEnum):
    """What a supervisor does when the planctl that launched it dies: let the command finish, or end it."""

    KEEP = "keep"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command to run.

    ``attempt`` marks every process of it and must be unique on the host. ``argv`` is run as it is;
    ``environment`` is complete, nothing is added but the marker. ``log`` receives stdout and stderr.
    ``record_dir`` is this attempt's own folder for the records. ``timeout`` and ``grace`` are in seconds.
    ``hold`` are descriptors (locks of ports and slots) that stay open until nothing of the command lives.
    """

    attempt: str
    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    log: Path
    record_dir: Path
    timeout: float | None = None
    tty: bool = False
    parent_death: ParentDeath = ParentDeath.KEEP
    grace: float = GRACE
    append_log: bool = False
    hold: tuple[int, ...] = ()

    def require_sound(self) -> None:
        """Raise :class:`LaunchFailedError` for what no system could run."""
        if not _ATTEMPT.fullmatch(self.attempt):
            raise LaunchFailedError(
                self.attempt[:80], "the id of an attempt is 1 to 128 of A-Z a-z 0-9 . _ -"
            )
        if not self.argv or not self.argv[0]:
            raise LaunchFailedError(self.attempt, "the command is empty")
        texts = (*self.argv, *self.environment, *self.environment.values())
        if any("\0" in text for text in texts):
            raise LaunchFailedError(self.attempt, "the command or its environment holds a NUL byte")


@dataclass(frozen=True, slots=True)
class Supervised:
    """A launched command: its main process and its supervisor, each by pid and start mark, of one boot.

    ``host`` is where their pids are from, as sessions say it; an empty text for what an older planctl
    launched.
    """

    attempt: str
    pid: int
    started: float
    supervisor: int
    supervisor_started: float
    boot: str
    record_dir: Path
    grace: float = GRACE
    host: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """The supervisor lives and has not said how its command ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. ``exit_code`` and ``signal``: one of them, or neither when it is unknowable.

    ``seconds`` from its start to its own end. ``left`` are pids that could not be ended. ``command_alive``
    only with ``lost``: something of the tree still runs, and :func:`supervision.stop_tree` ends it.
    ``finished`` is the wall time in seconds since 1970, ``mark`` the start mark of a process that would have
    begun then; None when unknown.
    """

    outcome: Outcome
    exit_code: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    left: tuple[int, ...] = ()
    command_alive: bool = False
    finished: float | None = None
    mark: float | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.outcome is Outcome.EXITED and self.exit_code == 0


def shell_argv(command: str) -> tuple[str, ...]:
    """The argv for a command line that the plan's author wrote. planctl never composes one."""
    if systems.WINDOWS:
        return (os.environ.get("COMSPEC", "cmd.exe"), "/d", "/s", "/c", command)
    return ("/bin/sh", "-c", command)
