"""What a path holds on disk, named the way git names content, without asking git."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file or symbolic link: ``object`` is git's id of exactly these bytes, no filter applied.

    ``permissions`` are the nine bits; a link has none (0).
    """

    object: str
    is_link: bool
    permissions: int

    @property
    def mode(self) -> str:
        """The mode that git gives such a file in a tree."""
        if self.is_link:
            return "120000"
        return "100755" if self.permissions & stat.S_IXUSR else "100644"


def look(top: Path, path: str) -> OnDisk | None:
    """Return what ``path`` below ``top`` holds; None where there is no file or link (a folder, nothing).

    What lies behind a link is not below ``top``: nothing is there.
    Raises :class:`OSError` for what is there and cannot be read, and for devices, sockets and pipes.
    """
    name = top / path
    if any((top / parent).is_symlink() for parent in PurePosixPath(path).parents[:-1]):
        return None
    try:
        found = name.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return None
    if stat.S_ISLNK(found.st_mode):
        target = os.fsencode(name.readlink())
        return OnDisk(_blob(len(target), [target]), is_link=True, permissions=0)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{name} is neither a file nor a link")
    return _file(name)


def _file(name: Path) -> OnDisk:
    descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        oid = _blob(found.st_size, iter(lambda: file.read(_CHUNK), b""))
    return OnDisk(oid, is_link=False, permissions=stat.S_IMODE(found.st_mode) & 0o777)


def _blob(size: int, chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def c_quoted(path: str) -> bytes:
    """Return ``path`` as ``git hash-object --stdin-paths`` reads any name: in quotes, bytes in octal."""
    safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+ "
    return b'"' + b"".join(bytes([c]) if c in safe else b"\\%03o" % c for c in os.fsencode(path)) + b'"'
