"""One file copied, sharing its blocks with the original where the file system can (reflink)."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING, Final

from plans.effects import step
from plans.systems import clone

if TYPE_CHECKING:
    from pathlib import Path

_CANNOT: Final = {
    errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY,
}  # fmt: skip


def same_file(source: Path, target: Path) -> bool:
    """Whether ``target`` is a faithful copy by kind, size, times and mode, as ``make`` and rsync judge it."""
    try:
        there = target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    here = source.lstat()
    if stat.S_ISLNK(here.st_mode):
        return stat.S_ISLNK(there.st_mode) and os.readlink(source) == os.readlink(target)  # noqa: PTH115
    return (here.st_mode, here.st_size, here.st_mtime_ns) == (there.st_mode, there.st_size, there.st_mtime_ns)


def clone_file(source: Path, target: Path) -> None:
    """Copy a regular file or a link (as a link, never followed) with mode and times, over nothing.

    ``target`` must not exist: it is created exclusively, so nothing is ever written through a link.
    Raises :class:`OSError`; a partial copy is then the caller's to remove.
    """
    with step("bring.copy"):
        if source.is_symlink():
            target.symlink_to(os.readlink(source))  # noqa: PTH115 - its text, whatever it is
            return
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(source, flags), "rb") as given, target.open("xb") as made:
            if not _reflinked(given.fileno(), made.fileno()):
                shutil.copyfileobj(given, made, 1 << 20)
        shutil.copystat(source, target, follow_symlinks=False)


def _reflinked(source: int, target: int) -> bool:
    try:
        return clone(source, target)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
