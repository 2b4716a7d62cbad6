"""Processes that a session has left, and how all of them are ended; nothing that is not proven to be of it.

Promise: :meth:`Family.end` signals only roots whose identity was proven, and what was seen below one of them
while it lived. Spared is what is below another session, what has a supervisor, an editor or a terminal that
somebody was given, with all below those, and the caller with all that is above it. Not promised: that a
process is found which had left its parents before anybody looked.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.running import platforms
from orchestrator.running.supervision import PROGRAM
from orchestrator.running.trees import ask_to_end, descendants, kill
from orchestrator.sessions.ancestry import ancestors, is_home
from orchestrator.sessions.identity import proven

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from orchestrator.running.platforms import Process

_LONGEST_NAME: Final = 60
_SUPERVISOR: Final = os.fsencode(PROGRAM)


@dataclass(frozen=True, slots=True)
class EndedProcess:
    """A process that was to be ended; ``is_gone`` when it is. ``name`` is the program's, for people.

    ``whose`` is the session, or the command of a plan, that it was of.
    """

    pid: int
    name: str
    is_gone: bool
    whose: str


def known_process(pid: int, started: float, boot: str, host: str) -> Process | None:
    """That very process, if it is seen from here that it lives (``started`` as sessions keep it)."""
    found = platforms.find_process(pid)  # before the proof: what is proven now was there then, too
    return found if found is not None and proven(pid, started, boot, host) else None


def own_line() -> set[int]:
    """This process and all above it."""
    return {os.getpid(), *(one.pid for one in ancestors())}


def program_of(pid: int) -> str:
    """What the process is called, for people."""
    return os.path.basename(words_of(pid)[0])[:_LONGEST_NAME] or "?"  # noqa: PTH119 - a name


def words_of(pid: int) -> list[str]:
    """What the process says that it runs: one word at least, which is empty where that cannot be told."""
    return platforms.image_of(pid).decode("utf-8", "replace").split("\0")


def below(table: Mapping[int, Process], roots: Collection[int], spared: Collection[int]) -> list[Process]:
    """What is below ``roots``; what is ``spared``, or stands apart, is left out with all below it."""
    found = descendants(table, roots)
    cut = {pid for pid in found if pid in spared or _stands_apart(pid)}
    kept = found - cut - descendants(table, cut)
    return [table[pid] for pid in kept if pid not in spared]


def _stands_apart(pid: int) -> bool:
    """Whether it is somebody else's business by now, whoever started it.

    A supervisor, and what has the mark of what one watches: its run sees to those, or who resumes it. An
    editor or a terminal that an agent has opened for a person, who has unsaved work in it.
    """
    if platforms.marker_of(pid) is not None or _SUPERVISOR in platforms.image_of(pid).split(b"\0"):
        return True
    return is_home(words_of(pid))


class Family:
    """The processes that sessions left: roots, each with whose it is, and what is seen below them."""

    def __init__(self, roots: Iterable[tuple[Process, str]], spared: Collection[int]) -> None:
        self._spared = {*spared, *own_line()}
        known = [(process, whose) for process, whose in roots if process.pid not in self._spared]
        known = [(process, whose) for process, whose in known if not _stands_apart(process.pid)]
        self._seen = {process.pid: process.started for process, _ in known}
        self._whose = {process.pid: whose for process, whose in known}

    def living(self) -> list[Process]:
        """Those that live, the newest look included."""
        table = platforms.all_processes()
        alive = {p for p, since in self._seen.items() if p in table and table[p].started == since}
        for process in below(table, alive, self._spared):
            self._seen[process.pid] = process.started
            self._whose[process.pid] = self._heir(table, process, alive)
            alive.add(process.pid)
        return [table[pid] for pid in alive]

    def _heir(self, table: Mapping[int, Process], process: Process, known: Collection[int]) -> str:
        """Whose it is: its parent's, or the next one's up that is known."""
        while process.parent not in known:
            process = table[process.parent]
        return self._whose[process.parent]

    def end(
        self, grace: float, rest: Callable[[float], None], check: Callable[[], None]
    ) -> tuple[EndedProcess, ...]:
        """TERM, after ``grace`` seconds KILL. ``check`` is called before each look for whom to signal.

        It may raise: then nobody is left stopped who was only about to be asked.
        """

        def find() -> list[Process]:
            check()
            return self.living()

        names = {(p.pid, p.started): program_of(p.pid) for p in self.living()}
        try:
            ask_to_end(find, grace, rest)
            late = {(p.pid, p.started): program_of(p.pid) for p in find()}
            names = late | names  # who is just dying has no name any more
            left = kill(find, rest)
        except BaseException:
            for process in self.living():
                platforms.send(process, signal.SIGCONT)
            raise
        return tuple(
            EndedProcess(pid, name, pid not in left, self._whose[pid])
            for (pid, _), name in sorted(names.items())
        )
