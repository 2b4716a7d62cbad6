"""The files by which a supervisor tells of its command, in one folder per attempt.

- ``started``: written before the command is let go: who it is (pid, start mark, boot), who watches it, where
  it works and for which plan, so that a store that was lost can be told of it. Taken back when the launcher
  dies before it lets go: then nothing was begun, and may be begun anew under the same name.
- ``stop``: written by whoever asks for its end, with the grace in seconds.
- ``ended``: written once, when nothing of its tree lives any more. Temporary file, fsync, rename: whole or
  absent, after a crash of the machine too. The folder is not synced: a record lost with the machine is an
  attempt that runs again, which costs time and no work.

All are JSON objects. The supervisor loads this module: no heavy imports.
"""
# ruff: noqa: PTH105, PTH108, PTH118, PTH123 - pathlib would cost every supervisor 5 ms and 1 MB

from __future__ import annotations

import os

from orchestrator.running.lean import json_of
from orchestrator.running.steps import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

STARTED: Final = "started"
STOP: Final = "stop"
ENDED: Final = "ended"
RETRY_AT: Final = "retry-at"
"""Not a record, and not a supervisor's: where the command itself may say when to try again."""
ABOUT: Final = {"plan": "PLANCTL_PLAN", "run": "PLANCTL_RUN", "base": "PLANCTL_BASE"}
"""Fields of ``started``, and the variables of the command's environment that they come from."""


class How:
    """How a command came to its end, as ``ended`` says it; what each means is said at ``spec.Outcome``."""

    EXITED: Final = "exited"
    TIMED_OUT: Final = "timed_out"
    STOPPED: Final = "stopped"
    PARENT_DIED: Final = "parent_died"
    LOST: Final = "lost"


def write_record(folder: str, name: str, value: Mapping[str, Any], *, durable: bool) -> None:
    """Replace the record ``name`` in one moment. Raises :class:`OSError`."""
    path = os.path.join(folder, name)
    temporary = f"{path}.{os.getpid()}.tmp"
    data = json_of(value).encode("ascii") + b"\n"
    with step("running.draft"), open(temporary, "wb") as stream:
        stream.write(data)
        stream.flush()
        if durable:
            os.fsync(stream.fileno())
    with step(f"running.record-{name}"):
        os.replace(temporary, path)


def take_back(folder: str, name: str) -> None:
    """As if the record ``name`` had never been written. Raises :class:`OSError`."""
    with step(f"running.take-back-{name}"):
        os.unlink(os.path.join(folder, name))


def read_record(folder: str, name: str) -> dict[str, Any] | None:
    """Return the record, or None when it is absent or not a whole JSON object."""
    try:
        with open(os.path.join(folder, name), "rb") as stream:
            data = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    import json  # noqa: PLC0415 - a supervisor mostly finds none

    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
