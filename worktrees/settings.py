"""The user's git settings, read with one process and kept while no file they came from has changed.

git names the file of every setting (``--show-origin``); before each use those files, and the places where
settings may appear later, are looked at (some microseconds each). Not seen: a file that starts to be
included although no file changed that includes it (``includeIf "onbranch:…"``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worktrees.coreconfig import is_true

if TYPE_CHECKING:
    from worktrees.git import Git


@dataclass(frozen=True, slots=True)
class _Read:
    values: dict[str, tuple[str, ...]]
    files: frozenset[str]
    stamp: frozenset[object]


class Settings:
    """Settings of one repository as git sees them from planctl's desk. Safe to share between threads."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._last: _Read | None = None

    def get(self, name: str) -> str | None:
        """Return the last value of ``section.key`` (both in lower case), None when unset."""
        found = self.every(name)
        return found[-1] if found else None

    def every(self, name: str) -> tuple[str, ...]:
        """Return all values of ``section.key`` in git's order; those of a repeatable one."""
        return self._current().get(name, ())

    def several(self, *names: str) -> tuple[str | None, ...]:
        """As :meth:`get`, of one moment: the files are looked at once."""
        found = self._current()
        return tuple(found[name][-1] if name in found else None for name in names)

    def is_true(self, name: str) -> bool:
        """Whether a boolean setting is on, in git's words for it."""
        return is_true(self.get(name) or "")

    def named(self, section: str, key: str) -> dict[str, str]:
        """Return NAME to value of every ``section.NAME.key``; ``section`` and ``key`` in lower case."""
        begin, end = f"{section}.", f".{key}"
        return {
            name[len(begin) : -len(end)]: values[-1]
            for name, values in self._current().items()
            if name.startswith(begin) and name.endswith(end) and len(name) > len(begin) + len(end)
        }

    def _current(self) -> dict[str, tuple[str, ...]]:
        last = self._last
        if last is not None and last.stamp == _stamp(last.files):
            return last.values
        # Stamped before the reading, so that a change during it is seen next time.
        files = self._places() | (last.files if last else frozenset())
        stamp = _stamp(files)
        values, origins = _parse(
            self._git.run("config", "--list", "--show-origin", "-z", "--includes").output
        )
        more = origins - files
        self._last = _Read(values, files | more, stamp | (_stamp(more) if more else frozenset()))
        return values

    def _places(self) -> frozenset[str]:
        home = os.environ.get("HOME") or str(Path("~").expanduser())
        xdg = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        chosen = os.environ.get("GIT_CONFIG_GLOBAL") or f"{home}/.gitconfig"
        local = self._git.repository.common_dir / "config"
        return frozenset((str(local), chosen, f"{xdg}/git/config", "/etc/gitconfig"))


def _parse(output: bytes) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Read "origin NUL key LF value NUL" records; a key without a value is true."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    values: dict[str, tuple[str, ...]] = {}
    files: set[str] = set()
    for origin, setting in zip(fields[::2], fields[1::2], strict=False):
        key, separator, value = setting.partition("\n")
        values[key] = (*values.get(key, ()), value if separator else "true")
        if origin.startswith("file:"):
            files.add(origin.removeprefix("file:"))
    return values, frozenset(files)


def _stamp(files: frozenset[str]) -> frozenset[object]:
    seen: set[object] = {(k, v) for k, v in os.environ.items() if k.startswith("GIT_CONFIG")}
    for name in files:
        try:
            found = os.stat(name)  # noqa: PTH116 - thousands of times a drain
        except OSError:
            seen.add((name, None))
        else:
            seen.add((name, found.st_mtime_ns, found.st_size, found.st_ino))
    return frozenset(seen)
