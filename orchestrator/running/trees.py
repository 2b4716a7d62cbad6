"""Whole process trees: who belongs to one, and how all of it is ended.

Promise: when :func:`kill` returns nothing, no member that can be found lives. Members are found by
descent, by their session and by the marker in their environment; on Linux a supervisor is the subreaper of
its tree, so that descent alone finds everything. Not promised: that a process is found which left its
parents, its session and its environment after its supervisor was killed.

1. Everyone is stopped, until all are still and a look finds nobody new: without that, a shell just about
   to fork leaves a child that was never asked to end and outlives the whole grace.
2. Everyone gets TERM, once, and CONT, so as to act on it. What is started from then on is somebody's
   cleaning up and is let be.
3. After the grace everyone is stopped as before and killed, again and again until nobody is left or the
   limit is reached.
"""

from __future__ import annotations

import os
import time

from orchestrator.running import platforms
from orchestrator.running.lean import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Final

    from orchestrator.running.platforms import Process

KILL_LIMIT: Final = 30.0
"""Seconds after which what still lives (a process in uninterruptible sleep) is reported instead."""
EVER: Final = float("inf")
_FIRST_REST: Final = 0.002
_LONGEST_REST: Final = 0.25
_FREEZE_LIMIT: Final = 0.25


def descendants(table: Mapping[int, Process], roots: Collection[int]) -> set[int]:
    """Return the pids below ``roots``, themselves not included."""
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    open_ends = list(roots)
    while open_ends:
        for child in children.get(open_ends.pop(), ()):
            if child not in found:
                found.add(child)
                open_ends.append(child)
    return found - set(roots)


def tree_below(root: int, attempt: str) -> list[Process]:
    """Return the living descendants of ``root`` and whatever carries the attempt's marker, not ``root``."""
    table = platforms.all_processes()
    below = descendants(table, (root,))
    return [p for p in table.values() if p.pid != root and (p.pid in below or _marked(p, attempt))]


def orphans(attempt: str, command: Process | None, until: float = EVER) -> list[Process]:
    """Return what lives of an attempt whose supervisor is dead. Never this process itself.

    ``command`` is its main process as it was recorded in this boot. Only if exactly that one lives do its
    descendants and its session count: else the number may be another process's by now. ``until``: see
    :func:`left_over`.
    """
    table = platforms.all_processes()
    root = table.get(command.pid) if command is not None else None
    family: set[int] = set()
    if root is not None and command is not None and root.started == command.started:
        family = {root.pid, *descendants(table, (root.pid,))}
        family |= {p.pid for p in table.values() if p.session == root.pid}
    table.pop(os.getpid(), None)
    family |= left_over(table, {p.pid for p in table.values() if _marked(p, attempt)}, until)
    return [p for p in table.values() if p.pid in family]


def left_over(table: Mapping[int, Process], marked: Collection[int], until: float) -> set[int]:
    """Those of ``marked`` that had begun by ``until``, a start mark, and those that are below such a one.

    The others began when the command was over, by the hand of somebody who has its environment.
    """
    early = {pid for pid in marked if pid in table and table[pid].started <= until}
    return early | (descendants(table, early) & set(marked))


def _marked(process: Process, attempt: str) -> bool:
    return platforms.marker_of(process.pid) == attempt


def ask_to_end(find: Callable[[], list[Process]], grace: float, rest: Callable[[float], None]) -> None:
    """Ask everything that ``find`` returns to end; return when nothing is left or the grace is over.

    ``grace`` is in seconds; ``rest`` waits up to so many seconds, and reaps. What was forked and had not yet
    become the program that it was forked for has its parent's handler, and forgets what that heard: it is
    asked once more when it is that program.
    """
    alive = _frozen(find)
    unborn = {p.pid: image for p in alive if (image := _image_shared_with_parent(p))}
    for number in (signal.SIGTERM, signal.SIGCONT):
        for process in alive:
            platforms.send(process, number)
    deadline = time.monotonic() + grace
    pause = _FIRST_REST
    while alive and (left := deadline - time.monotonic()) > 0:
        rest(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_REST)
        alive = find()
        for process in alive:
            if process.pid in unborn and platforms.image_of(process.pid) not in (unborn[process.pid], b""):
                del unborn[process.pid]
                platforms.send(process, signal.SIGTERM)


def _image_shared_with_parent(process: Process) -> bytes:
    image = platforms.image_of(process.pid)
    return image if image == platforms.image_of(process.parent) else b""


def kill(find: Callable[[], list[Process]], rest: Callable[[float], None]) -> tuple[int, ...]:
    """Kill everything that ``find`` returns; return the pids that could not be ended within the limit."""
    alive = find()
    deadline = time.monotonic() + KILL_LIMIT
    while alive and time.monotonic() < deadline:
        for process in _frozen(find):
            platforms.send(process, signal.SIGKILL)
        rest(_FIRST_REST)
        alive = find()
    return tuple(process.pid for process in alive)


def _frozen(find: Callable[[], list[Process]]) -> list[Process]:
    """Stop everyone until all are still and a look finds nobody new; return them. Who is still does not fork.

    To be told to stop is not enough: a process in the middle of a fork finishes it first. Bounded in time,
    for what cannot stop (a parent in vfork, a sleep in a driver) and what forks faster than it is stopped.
    """
    stopped: set[tuple[int, float]] = set()
    deadline = time.monotonic() + _FREEZE_LIMIT
    alive, still = find(), False
    while alive and time.monotonic() < deadline:
        fresh = [p for p in alive if (p.pid, p.started) not in stopped]
        if still and not fresh:  # still before this look: a child of a fork that was under way is in it
            break
        for process in fresh:
            platforms.send(process, signal.SIGSTOP)
            stopped.add((process.pid, process.started))
        still = all(platforms.is_still(process.pid) for process in alive)
        if not still:
            time.sleep(_FIRST_REST)
        alive = find()
    return alive
