"""Read the logs of commands: the last line for a display, the last lines for a report, or all as it grows.

A log is bytes of an unknown program: reads are bounded, and what goes to a terminal as text has its control
characters taken out. Only :func:`follow` gives the bytes as they are.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK: Final = 65_536
_LAST: Final = 8_192
_TAIL: Final = 16_384
_WIDEST: Final = 400
# ECMA-48: CSI … final byte; OSC, DCS, PM, APC, SOS … BEL, ST or the end of what was read; two-byte escapes.
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-~])")


def plain(text: str, width: int = _WIDEST) -> str:
    """Return ``text`` as one line without escape sequences, control and invisible characters.

    Of a line that was overwritten with carriage returns, as progress bars do, the last version counts.
    """
    versions = [v for v in _ESCAPE.sub("", text).split("\r") if v.strip()]
    line = versions[-1] if versions else ""
    return "".join(c if c.isprintable() else " " for c in line).strip()[:width]


def last_line(path: Path) -> str:
    """Return the last line that holds anything, made plain; empty when there is none."""
    lines = last_bytes(path, _LAST).replace(b"\r\n", b"\n").split(b"\n")
    texts = (plain(line.decode("utf-8", "replace")) for line in reversed(lines))
    return next((text for text in texts if text), "")


def last_lines(path: Path, count: int = 20) -> list[str]:
    """Return up to ``count`` last lines, made plain, of at most the last 64 KiB."""
    text = last_bytes(path, CHUNK).decode("utf-8", "replace")
    lines = text.removesuffix("\n").split("\n") if text else []
    return [plain(line.removesuffix("\r")) for line in lines[-count:]] if count > 0 else []


def lines_since(path: Path, start: int, width: int) -> list[str]:
    """Return the lines behind byte ``start`` that hold anything, made plain, of at most the last 16 KiB."""
    data = last_bytes(path, _TAIL, start)
    lines = (plain(line, width) for line in data.decode("utf-8", "replace").split("\n"))
    return [line for line in lines if line]


def last_bytes(path: Path, limit: int, start: int = 0) -> bytes:
    """Of a plain file; the folder is the command's, too, and a pipe in its place would be waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return b""
        stream.seek(max(start, found.st_size - limit))
        return stream.read(limit)


def follow(path: Path, *, from_end: bool, wait: Callable[[], bool]) -> Iterator[bytes]:
    """Yield what is in the log and what is added to it.

    Whenever there is nothing new, ``wait`` is called; it returns after a while with True, or with False
    once the writer has ended: then what is left is given, and that is all. A log that does not exist yet
    is waited for. One that became shorter was begun anew and is given from its start.
    """
    position = _size(path) if from_end else 0
    going = True
    while True:
        if _size(path) < position:
            position = 0
        data = _read(path, position)
        if data:
            position += len(data)
            yield data
        elif going:
            going = wait()
        else:
            return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(position)
            return stream.read(CHUNK)
    except FileNotFoundError:
        return b""
