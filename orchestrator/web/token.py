"""The token of a repository's servers: a file that only its owner can read, made once and kept.

Promise: whoever reads it there may do what the server does. It stays the same over restarts, and is shared by
servers beside each other; to have a new one, delete the file and start anew.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

from orchestrator.clock import new_secret
from orchestrator.servingerrors import TokenUnusableError
from plans import systems
from plans.effects import create_atomic, step

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "serve.token"
_OURS: Final = re.compile(r"[0-9a-f]{64}")


def kept_token(state_dir: Path) -> tuple[Path, str]:
    """Where the token is, and the token; made when there is none. Raises TokenUnusableError, and OSError."""
    path = state_dir / NAME
    if not os.path.lexists(path):
        with step("serve.token"):
            create_atomic(path, f"{new_secret()}\n".encode(), 0o600)  # another server may be faster: then its
    return path, _read(path)


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise TokenUnusableError(path, error.strerror or str(error)) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise TokenUnusableError(path, "it is not a file")
        if not systems.WINDOWS and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise TokenUnusableError(path, f"others can read it (mode {stat.S_IMODE(found.st_mode):o})")
        text = os.read(descriptor, 200).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if not _OURS.fullmatch(text):
        raise TokenUnusableError(path, "what is in it is no token")
    return text
