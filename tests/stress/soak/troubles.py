"""What goes wrong beside the sessions: kills, pauses, clock jumps, a full disk, a store only to be read."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from orchestrator.running.supervision import PROGRAM
from tests.stress.soak.world import World
from tests.stress.test_full_disks import KIB, filled

HOUR = 3600
HALF = 0.5
ACTS = 2
"""How many there are for each trouble, at least."""


@dataclass
class Troubles:
    """Makes trouble until ``over`` is set, as ``dice`` fall; then all is as it should be."""

    world: World
    dice: random.Random
    over: threading.Event
    made: Counter[str] = field(default_factory=Counter)

    def __call__(self) -> None:
        kinds: list[Callable[[], bool]] = [self.kill, self.kill, self.kill_agent, self.pause, self.clock]
        kinds += [self.kill_watchdog]
        if self.world.disk is not None:
            kinds += [self.full_disk, self.read_only_store]
        seen = 0
        while not self.over.wait(self.dice.random()):
            acts = self.world.count()
            if acts >= seen + ACTS:  # a busy machine gets on more slowly
                seen = acts
                kind = self.dice.choice(kinds)
                self.made[kind.__name__] += kind()
        self.world.shift(0)

    def has_killed(self) -> bool:
        """Whether a command or an agent was killed so far."""
        return self.made["kill"] + self.made["kill_agent"] > 0

    def kill(self) -> bool:
        """SIGKILL to one planctl, and to what it runs or not; its git ends its work, as after any kill."""
        return self._kill(self.world.planctls())

    def kill_agent(self) -> bool:
        """An agent and the planctl it has called; it comes again, as another session."""
        return self._kill(self.world.agents())

    def kill_watchdog(self) -> bool:
        """One of those that stay: another one takes over."""
        return self._kill(self.world.watchdogs())

    def _kill(self, found: list[psutil.Process]) -> bool:
        if not found:
            return False
        with suppress(psutil.NoSuchProcess):
            chosen = self.dice.choice(found)
            chosen.suspend()  # so that it starts nothing while we look
            spared = _supervised if self.dice.random() < HALF else _is_git
            doomed = [p for p in chosen.children(recursive=True) if not (_is_git(p) or spared(p))]
            for process in (*reversed(doomed), chosen):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            return True
        return False

    def pause(self) -> bool:
        """SIGSTOP to one planctl, and SIGCONT after some seconds, less than a lease lasts."""
        found = [*self.world.planctls(), *self.world.watchdogs()]
        if not found:
            return False
        chosen = self.dice.choice(found)
        with suppress(psutil.NoSuchProcess):
            chosen.send_signal(signal.SIGSTOP)
            self.over.wait(self.dice.random() * 3)
            chosen.send_signal(signal.SIGCONT)
            return True
        return False

    def clock(self) -> bool:
        """The wall clock jumps by up to an hour in either direction, for all processes at once."""
        return self.world.shift(self.dice.randint(-HOUR, HOUR))

    def full_disk(self) -> bool:
        assert self.world.disk is not None
        try:
            with filled(self.world.disk, self.dice.choice([0, 16, 128]) * KIB):
                self.over.wait(self.dice.random() * 2)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False  # somebody took the room while we counted it
        return True

    def read_only_store(self) -> bool:
        with read_only(self.world.repo.path / ".git/planctl") as done:
            self.over.wait(self.dice.random() * 2)
        return done


def _is_git(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("git")
    except psutil.NoSuchProcess:
        return True


def _supervised(process: psutil.Process) -> bool:
    """Whether it is made to outlive the planctl that started it: a supervisor, or a command of one."""
    try:
        line = [process, *process.parents()]
        return any(PROGRAM.name in word for one in line for word in one.cmdline())
    except psutil.NoSuchProcess:
        return True


@contextmanager
def read_only(folder: Path) -> Iterator[bool]:
    """Whoever opens something below ``folder`` meanwhile can only read, unless somebody was faster."""
    if not folder.exists() or mount("--bind", folder, folder):
        yield False
        return
    try:
        yield mount("-o", "remount,ro,bind", folder) == 0  # busy: opened for writing since the line above
    finally:
        subprocess.run(["umount", "--lazy", os.fspath(folder)], check=True)


def mount(*words: str | Path) -> int:
    return subprocess.run(["mount", *map(os.fspath, words)], capture_output=True, check=False).returncode
