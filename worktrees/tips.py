"""The value of one reference, read from git's files alone: for commands that must start fast.

As gitrepository-layout(5) describes them: a loose file, else a line of ``packed-refs``.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_OBJECT: Final = re.compile(rb"[0-9a-f]{40}")


def read_tip(common_dir: Path, reference: str) -> str | None:
    """The object that ``reference`` names; None when it is absent, symbolic, or kept in another way."""
    try:
        loose = (common_dir / reference).read_bytes().strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _packed(common_dir, reference)
    return loose.decode("ascii") if _OBJECT.fullmatch(loose) else None


def names_below(common_dir: Path, prefix: str) -> list[str]:
    """The references right below ``prefix``, by name."""
    folder = common_dir / prefix
    found = {f"{prefix}/{path.name}" for path in folder.iterdir()} if folder.is_dir() else set()
    with contextlib.suppress(FileNotFoundError):  # nothing was ever packed
        for line in (common_dir / "packed-refs").read_bytes().splitlines():
            name = line.partition(b" ")[2].decode("utf-8", "surrogateescape")
            if name.startswith(f"{prefix}/") and "/" not in name[len(prefix) + 1 :]:
                found.add(name)
    return sorted(name for name in found if not name.endswith(".lock"))


def _packed(common_dir: Path, reference: str) -> str | None:
    try:
        lines = (common_dir / "packed-refs").read_bytes().splitlines()
    except FileNotFoundError:
        return None
    wanted = reference.encode("utf-8", "surrogateescape")
    for line in lines:
        found, _, name = line.partition(b" ")
        if name == wanted and _OBJECT.fullmatch(found):
            return found.decode("ascii")
    return None
