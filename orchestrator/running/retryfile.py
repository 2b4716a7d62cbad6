"""The file in which a command may say when to try again: ``PLANCTL_RETRY_AT``, in its record folder."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from orchestrator.running.log import plain
from orchestrator.running.records import RETRY_AT

if TYPE_CHECKING:
    from pathlib import Path

_MOST: Final = 1024


def read_retry_at(record_dir: Path) -> str:
    """The first line of it that holds anything; empty when there is none, or it is not a plain file.

    A program of unknown intent wrote it: no link is followed, no pipe waited for, 1 KiB is read at most.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(record_dir / RETRY_AT, flags)
    except OSError:  # most commands write none; what cannot be opened says nothing
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        text = os.read(descriptor, _MOST).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    return next((line for line in map(plain, text.splitlines()) if line), "")
