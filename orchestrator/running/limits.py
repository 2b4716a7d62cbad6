"""What the system lets a process open: files, and watches on files. ``root`` is where the kernel's files are.

Linux alone tells how much of it is in use; elsewhere only the limit of this process is known.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_INOTIFY: Final = "anon_inode:inotify"


@dataclass(frozen=True, slots=True)
class Usage:
    """How many there are of ``most``; ``name`` is the setting that says how many there may be."""

    name: str
    used: int
    most: int

    @property
    def is_short(self) -> bool:
        """Whether more than nine in ten are in use."""
        return self.used * 10 > self.most * 9


def open_files(root: Path = Path("/")) -> Usage | None:
    """Files that are open in the whole system."""
    figures = _figures(root / "proc/sys/fs/file-nr")
    return Usage("fs.file-max", figures[0], figures[2]) if len(figures) > 2 else None  # noqa: PLR2004 - proc(5)


def inotify(root: Path = Path("/")) -> tuple[Usage, ...]:
    """This user's inotify instances and watches, of which each kind is counted by user."""
    settings = root / "proc/sys/fs/inotify"
    instances, watches = (_figures(settings / f"max_user_{what}") for what in ("instances", "watches"))
    if not instances or not watches:
        return ()
    used = Counter[str]()
    for descriptor in _of_this_user(root):
        used["instances"] += 1
        with contextlib.suppress(OSError):  # closed meanwhile
            used["watches"] += descriptor.read_bytes().count(b"inotify wd:")
    return (
        Usage("fs.inotify.max_user_instances", used["instances"], instances[0]),
        Usage("fs.inotify.max_user_watches", used["watches"], watches[0]),
    )


def _of_this_user(root: Path) -> Iterator[Path]:
    """What the kernel says of each inotify descriptor of this user's processes."""
    for process in (root / "proc").iterdir():
        with contextlib.suppress(OSError):  # gone, or another user's
            if not process.name.isdigit() or process.stat().st_uid != os.getuid():
                continue
            names = os.listdir(process / "fd")  # noqa: PTH208 - thousands of them
            for name in names:
                if os.readlink(f"{process}/fd/{name}") == _INOTIFY:  # noqa: PTH115 - as above
                    yield process / "fdinfo" / name


def _figures(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError):  # no such file on this system
        return []
