"""Which commands of plans are in a folder at this moment: by current folder, and by files open to write.

Promised: who is named was there. Not promised: that whoever was there is seen; between two looks a process
can come, write and go. Known of Linux only; elsewhere nobody is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.running import platforms

if TYPE_CHECKING:
    from collections.abc import Collection

_LONG: Final = 60


@dataclass(frozen=True, slots=True)
class Visit:
    """A process of the command ``supervised`` was there; ``path``: a file it had open to write, or empty."""

    supervised: str
    pid: int
    command: str
    path: str = ""


def visits(folder: str, supervised: Collection[str]) -> list[Visit]:
    """The processes of these commands that are in ``folder``, or write to files in it."""
    found: list[Visit] = []
    for pid in platforms.pids() if supervised else ():
        marker = platforms.marker_of(pid)
        if marker is None or marker not in supervised:
            continue
        command = platforms.image_of(pid).replace(b"\0", b" ").decode("utf-8", "replace").strip()[:_LONG]
        if platforms.is_in(pid, folder):
            found.append(Visit(marker, pid, command))
        found += [Visit(marker, pid, command, path) for path in platforms.written_by(pid, folder)]
    return found
