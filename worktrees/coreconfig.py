"""Where a repository's files lie, and which names are one: settings read from its files without a process.

``core.bare``, ``core.worktree``, ``core.ignoreCase`` and the like from ``config``, and from
``config.worktree`` where that extension is on. Not read: included files, and whatever else git knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECTION: Final = re.compile(r"\s*\[([^\]\"]+?)\s*(\"(?:[^\"\\]|\\.)*\")?\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=(.*))?", re.DOTALL)
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_ESCAPED: Final = {"n": "\n", "t": "\t", "b": "\b"}


def core_settings(common_dir: Path) -> dict[str, str]:
    """Return ``section.key`` (lower case) to the last value; a file that is not there says nothing."""
    found = dict(_read(common_dir / "config"))
    if is_true(found.get("extensions.worktreeconfig", "")):
        found.update(_read(common_dir / "config.worktree"))
    return found


def is_true(value: str) -> bool:
    """Whether git takes the value of a boolean setting for true."""
    return value.lower() in _TRUE


def _read(file: Path) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    section = ""
    for line in text.replace("\r\n", "\n").replace("\\\n", "").split("\n"):
        heading = _SECTION.match(line)
        if heading:
            section = "" if heading.group(2) else heading.group(1).lower()
        key = _KEY.fullmatch(line, heading.end() if heading else 0)
        if key and section in {"core", "extensions"}:
            yield (
                f"{section}.{key.group(1).lower()}",
                "true" if key.group(2) is None else _value(key.group(2)),
            )


def _value(text: str) -> str:
    """Undo git's quoting: double quotes, backslashes, and a comment at the end of the line."""
    result, quoted, characters = "", False, iter(text.strip())
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            result += _ESCAPED.get(following, following)
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            return result.rstrip()
        else:
            result += character
    return result
