"""A lock of the kernel on a file, with its holder's name beside it.

Promised: one process of this machine at a time; the kernel lets go the moment the holder dies, however it
dies. Not promised: anything across machines, or an order among those who wait. There is no token and nothing
to check: as long as the process lives and has not let go, it holds the lock. The name in ``<file>.holder`` is
for people only; it may be missing, or that of the last holder, for a moment around a change of hands.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from orchestrator.errors import BusyError
from plans import systems
from plans.effects import step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.clock import Clock


class KernelLock:
    """A lock on the file ``path``, which is made when missing and stays."""

    def __init__(self, path: Path, clock: Clock, purpose: str) -> None:
        self._path = path
        self._clock = clock
        self._purpose = purpose
        self._record = path.with_name(f"{path.name}.holder")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; :class:`BusyError` with the holder where another has it."""
        with contextlib.ExitStack() as stack:
            with step("lock.folder"):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(self._path.open("ab"))
            if not systems.lock(file.fileno(), wait=False):
                raise BusyError(self._purpose, self.holder())
            self._sign()
            try:
                yield
            finally:
                with step("lock.unsign"):
                    self._record.unlink(missing_ok=True)

    def _sign(self) -> None:
        record = {"pid": os.getpid(), "since": self._clock.now(), "purpose": self._purpose}
        write_atomic(self._record, json.dumps(record).encode(), durable=False)

    def holder(self) -> str:
        """Who holds the lock, for people: ``pid 123 since 2026-…``, or ``another process``."""
        try:
            record = json.loads(self._record.read_bytes())
            return f"pid {record['pid']} since {record['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"  # between taking the lock and signing, or just gone
