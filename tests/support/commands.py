"""Real commands under real supervisors, for tests; none of them outlives its test."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator import clock
from orchestrator.running import platforms, supervision, waiting
from orchestrator.running.spec import CommandSpec, Ended, Supervised, shell_argv

LIMIT = 60.0


class Commands:
    """Makes and launches commands in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launched: list[Supervised] = []

    def spec(self, command: str | list[str], **changes: Any) -> CommandSpec:
        """A command line, or a Python program as [source, *arguments]."""
        attempt = clock.new_id()
        argv = shell_argv(command) if isinstance(command, str) else (sys.executable, "-c", *command)
        base = CommandSpec(
            attempt=attempt,
            argv=argv,
            cwd=self.folder,
            environment=dict(os.environ),
            log=self.folder / f"{attempt}.log",
            record_dir=self.folder / attempt,
        )
        return replace(base, **changes)

    def launch(self, command: str | list[str] | CommandSpec, **changes: Any) -> Supervised:
        spec = command if isinstance(command, CommandSpec) else self.spec(command, **changes)
        handle = supervision.launch(spec)
        self.launched.append(handle)
        return handle

    def run(self, command: str | list[str], **changes: Any) -> tuple[Ended, bytes]:
        """Run to the end; return how it ended and its log."""
        spec = self.spec(command, **changes)
        return waiting.run_to_end(spec, threading.Event()), spec.log.read_bytes()

    def end(self, handle: Supervised) -> Ended:
        """Wait for its end, however it comes."""
        assert waiting.wait((handle,), threading.Event(), LIMIT), "it did not end"
        state = supervision.poll(handle)
        assert isinstance(state, Ended)
        return state

    def fifo(self, name: str) -> Path:
        path = self.folder / name
        os.mkfifo(path)
        return path


@contextmanager
def commands_in(folder: Path) -> Iterator[Commands]:
    commands = Commands(folder)
    try:
        yield commands
    finally:
        for handle in commands.launched:
            waiting.end(handle, grace=0.0)
    marked = supervision.marked_processes()
    assert not [handle for handle in commands.launched if handle.attempt in marked]


def gone(pid: int) -> bool:
    """Whether no living process has that number."""
    return platforms.find_process(pid) is None
