"""Processes that nobody looks after any more, and how one of them is ended.

A stray is this user's, its command line is like one of the patterns, it began long enough ago, works in one
of the given folders, and is orphaned: its parent is the system's first process (or the user's systemd) and
did not start it, or the session that it was started in has lost its leader, and its parent is of another one.
Never this process or one that is spared, what these descend from or what descends from them, nor what carries
the mark of a command of planctl's or has started such a one.

Promise: a signal goes to exactly the process that was found, while it still is what it was: pid, start and
command line are read again before. Not promised: that a process of another container is seen.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from orchestrator.running import platforms, trees
from plans import systems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from orchestrator.running.platforms import Process

GRACE: Final = 5.0
_LONGEST: Final = 4096
"""Characters of a command line that are looked at."""
_FIELDS: Final = ("pid", "ppid", "name", "uids", "cmdline", "cwd", "create_time")


@dataclass(frozen=True, slots=True)
class Stray:
    """One process as it was seen; ``line`` is its command line, ``age`` in seconds."""

    process: Process
    line: str
    folder: str
    age: float


def strays(
    patterns: Collection[str], folders: Sequence[Path], older_than: float, spared: Collection[int], now: float
) -> list[Stray]:
    """Those that there are; ``now`` in seconds since 1970.

    ``spared`` are left, with what they descend from and what descends from them.
    """
    if systems.WINDOWS or not patterns:
        return []
    table = platforms.all_processes()
    kept = _family(table, {*spared, os.getpid()})
    found = []
    for known in _seen():
        process = table.get(known["pid"])
        line = _line(known["cmdline"])
        if process is None or process.pid in kept or not _is_in(known["cwd"], folders):
            continue
        age = now - known["create_time"]
        if age < older_than or not any(fnmatchcase(line, pattern) for pattern in patterns):
            continue
        if _is_orphan(process, table) and not _has_commands(table, process.pid):
            found.append(Stray(process, line, known["cwd"], age))
    return found


def end(stray: Stray, spared: Collection[int] = ()) -> tuple[int, ...]:
    """End it and what descends from it: TERM, then KILL. Returns the pids of what could not be ended.

    That is itself when it has become the parent of somebody at work since it was found.
    """
    table = platforms.all_processes()
    if stray.process.pid in _family(table, set(spared)) or _has_commands(table, stray.process.pid):
        return (stray.process.pid,)

    def find() -> list[Process]:
        table = platforms.all_processes()
        root = table.get(stray.process.pid)
        if root is None or root.started != stray.process.started or _now_runs(root.pid) != stray.line:
            return []
        return [root, *(table[pid] for pid in trees.descendants(table, (root.pid,)))]

    def rest(seconds: float) -> None:
        threading.Event().wait(seconds)

    trees.ask_to_end(find, GRACE, rest)
    return trees.kill(find, rest)


def _seen() -> Iterator[dict[str, Any]]:
    """What psutil tells of each process of this user's; another user's has no folder that may be read."""
    import psutil  # noqa: PLC0415 - 20 ms, and only here

    for process in psutil.process_iter(_FIELDS):
        known: dict[str, Any] = process.info
        complete = all(known.get(name) for name in ("uids", "cmdline", "cwd", "create_time"))
        if complete and known["uids"].real == os.getuid():
            yield known


def _is_in(folder: str, folders: Sequence[Path]) -> bool:
    return any(folder == str(place) or folder.startswith(f"{place}{os.sep}") for place in folders)


def _family(table: dict[int, Process], pids: set[int]) -> set[int]:
    """They, what they descend from and what descends from them."""
    above = {one for pid in pids for one in _ancestors(table, pid)}
    return pids | above | trees.descendants(table, pids)


def _has_commands(table: dict[int, Process], pid: int) -> bool:
    """Whether it or what descends from it is a command of planctl's."""
    return any(platforms.marker_of(one) is not None for one in (pid, *trees.descendants(table, (pid,))))


def _is_orphan(process: Process, table: dict[int, Process]) -> bool:
    parent = table.get(process.parent)
    if process.parent == 0:
        return False  # somebody outside of this container has just started it (docker exec)
    if parent is None or parent.pid == 1 or _now_runs(parent.pid).partition(" ")[0].endswith("/systemd"):
        return not _is_child_of(process, parent)
    return parent.session != process.session and process.session not in table


def _is_child_of(process: Process, first: Process | None) -> bool:
    """Whether the system's first process, or a systemd, started it: then that looks after it.

    The first one of a container may be any program, and keeps its children in its session; a systemd gives
    each service a session of its own, and the number of its main process.
    """
    if first is not None and first.session == process.session:
        return True
    return platforms.variable_of(process.pid, "SYSTEMD_EXEC_PID") == str(process.pid)


def _ancestors(table: dict[int, Process], pid: int) -> Iterator[int]:
    while (process := table.get(pid)) is not None and process.parent in table:
        pid = process.parent
        yield pid


def _now_runs(pid: int) -> str:
    if systems.LINUX:
        words = platforms.image_of(pid).decode("utf-8", "surrogateescape").split("\0")
        return _line(words[:-1])
    import psutil  # noqa: PLC0415 - as above

    try:
        return _line(psutil.Process(pid).cmdline())
    except psutil.Error:  # gone meanwhile, or another user's
        return ""


def _line(words: Sequence[str]) -> str:
    return " ".join(words)[:_LONGEST]
