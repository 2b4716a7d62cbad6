"""The processes above this one: which session a command speaks for, and whose life a session is tied to.

A shell that was started for one command (``sh -c …``, as agents start every command of theirs), what a shell
has forked for a part of its script (``$(…)``, ``( … )``, a pipeline) and programs that only start another
(``env``, ``timeout``, …) are passed over: they are gone a moment later.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from orchestrator.sessions.identity import started
from plans.systems import LINUX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHELLS: Final = frozenset(
    {
        *("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox"),
        *("rbash", "csh", "tcsh", "yash", "elvish", "nu", "pwsh", "xonsh"),
    }
)
_HOMES: Final = frozenset(
    {
        *("systemd", "init", "launchd", "runit", "s6-svscan", "supervisord", "cron", "crond", "atd"),
        *("sshd", "login", "dropbear", "mosh-server", "tmux", "screen", "zellij", "dtach", "abduco"),
        *(
            "xterm",
            "kitty",
            "alacritty",
            "foot",
            "konsole",
            "gnome-terminal-server",
            "wezterm-gui",
            "ghostty",
        ),
        *("emacs", "vi", "vim", "nvim", "kak", "hx", "helix", "zed", "code", "codium", "cursor", "idea"),
    }
)
"""Programs that people, or the system, have other programs run below them for good."""
_STARTERS: Final = frozenset(
    {
        "env",
        "timeout",
        "nice",
        "nohup",
        "xargs",
        "sudo",
        "doas",
        "time",
        "stdbuf",
        "setsid",
        "ionice",
        "flock",
        "taskset",
        "chrt",
        "setpriv",
        "runuser",
        "su",
        "unshare",
        "nsenter",
        "strace",
        "uv",
        "uvx",
        "direnv",
    }
)
_ONE_COMMAND: Final = re.compile(r"-[a-zA-Z]*c[a-zA-Z]*")
_MOST: Final = 64
_PARENT, _STACK = 1, 25  # of /proc/<pid>/stat, counted from behind the name


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A process above this one; ``started`` is 0 where that cannot be told.

    ``is_fork``: its parent has forked it, and it has never become another program.
    """

    pid: int
    started: float
    command: tuple[str, ...]
    is_fork: bool = False

    @property
    def is_passing(self) -> bool:
        """Whether it lives for one command only."""
        name = PurePath(self.command[0]).name.lstrip("-") if self.command else ""
        if name in _STARTERS:
            return True
        options = takewhile(lambda word: word.startswith("-"), self.command[1:])
        one_command = any(_ONE_COMMAND.fullmatch(word) for word in options)
        return is_shell(self.command) and (self.is_fork or one_command)


def is_shell(command: Sequence[str]) -> bool:
    """Whether that is a shell, which people start all sorts of things from."""
    return bool(command) and PurePath(command[0]).name.lstrip("-") in _SHELLS


def is_home(command: Sequence[str]) -> bool:
    """Whether that is a terminal, an editor, a service manager or the like, where people are at home."""
    return bool(command) and PurePath(command[0].partition(":")[0]).name in _HOMES  # `sshd: user@pts/0`


def line_of(pid: int) -> frozenset[int]:
    """``pid`` and all above it, as far as can be seen."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        pid = _parent(pid)
    return frozenset(found)


def ancestors() -> Iterator[Ancestor]:
    """From the parent upwards, as far as can be seen."""
    pid, command = os.getppid(), _command(os.getppid())
    for _ in range(_MOST):
        if pid <= 0:
            return
        parent = _parent(pid)
        above = _command(parent) if parent > 0 else ()
        is_fork = bool(command) and command == above and _stack(pid) == _stack(parent)
        yield Ancestor(pid, started(pid) or 0.0, command, is_fork)
        pid, command = parent, above


def worker(above: Sequence[Ancestor]) -> Ancestor:
    """The process that works here: the nearest that outlives one command; this process where none is seen."""
    lasting = [one for one in above if not one.is_passing]
    if lasting:
        return lasting[0]
    return above[-1] if above else Ancestor(os.getpid(), started(os.getpid()) or 0.0, ())


def _parent(pid: int) -> int:
    return _linux_parent(pid) if LINUX else _parent_by_psutil(pid)


def _command(pid: int) -> tuple[str, ...]:
    return _linux_command(pid) if LINUX else _command_by_psutil(pid)


def _stack(pid: int) -> int:
    """Where the process's stack begins: drawn for each program, so one that only forked has its parent's.

    0 where it is not told; then one command line says that it is one program.
    """
    return _linux_stat(pid, _STACK) if LINUX else 0


def _linux_parent(pid: int) -> int:
    return _linux_stat(pid, _PARENT)


def _linux_stat(pid: int, field: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a Path costs more than the read
            return int(file.read().rpartition(b")")[2].split()[field])
    except OSError:
        return 0


def _linux_command(pid: int) -> tuple[str, ...]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - as above
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "surrogateescape") for word in words)


def _parent_by_psutil(pid: int) -> int:
    import psutil  # noqa: PLC0415 - Linux does without

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return 0


def _command_by_psutil(pid: int) -> tuple[str, ...]:
    import psutil  # noqa: PLC0415 - as above

    try:
        return tuple(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ()
