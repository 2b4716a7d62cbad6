"""Plan files on disk: which files may be plans, and their bytes, read without trusting what lies there."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from plans.codes import Code
from plans.errors import Problem
from plans.source import MARKDOWN, MAX_FILE, SETTINGS_FILE, YAML

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_FILES: Final = 5_000
_SKIPPED: Final = frozenset({"node_modules"})


def is_candidate(path: PurePath, folders: Sequence[str]) -> bool:
    """Whether a path (relative to the repository's top) may be a plan file of ``folders``.

    The rule for working trees and for trees of git: in a folder of ``plans:`` or below it, no part below
    beginning with a dot, an ending of Markdown or YAML; or named in ``plans:`` itself.
    """
    for folder in folders:
        top = PurePath(folder)
        if path == top:
            return True
        with suppress(ValueError):  # not below this folder: the next one is asked
            below = path.relative_to(top)
            if _is_wanted(below):
                return True
    return False


def _is_wanted(below: PurePath) -> bool:
    if below.suffix.lower() not in MARKDOWN | YAML or below.name == SETTINGS_FILE:
        return False
    return not any(part.startswith(".") or part in _SKIPPED for part in below.parts)


@dataclass(slots=True)
class Gathered:
    """What was found: the bytes of files (paths relative to the root where inside) and what was refused.

    ``asked`` are the files that were named one by one.
    """

    files: list[tuple[Path, bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    asked: set[Path] = field(default_factory=set)


def gather(root: Path, folders: Sequence[str], extra: Sequence[Path] = ()) -> Gathered:
    """Read all candidates below ``root``, and ``extra`` files that were asked for.

    Relative paths of ``extra`` start at ``root``; one outside is taken, since somebody asked for it. A file
    that is reached twice is read once, links last.
    """
    return _Gathering(root.resolve()).gather(folders, extra)


class _Gathering:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.found = Gathered()
        self.seen: set[Path] = set()

    def gather(self, folders: Sequence[str], extra: Sequence[Path]) -> Gathered:
        for name in folders:
            self._take_folder(name)
        for path in extra:
            full = Path(os.path.normpath(self.root / path))
            self.found.asked.add(self._short(full))
            self._take_file(full)
        return self.found

    def _take_folder(self, name: str) -> None:
        top = Path(os.path.normpath(self.root / name))
        if not self._is_inside(top):
            self._refuse(top, Code.OUTSIDE_REPOSITORY, "this leads out of the repository")
        elif top.is_file():
            self.found.asked.add(self._short(top))
            self._take_file(top)
        elif top.is_dir():
            files = sorted(self._walk(top), key=lambda p: (p.is_symlink(), p))
            for path in files[:MAX_FILES]:
                self._take_file(path)
            if len(files) > MAX_FILES:
                message = f"more than {MAX_FILES} files that may be plans; the others are not read"
                self._refuse(top, Code.TOO_MANY_FILES, message)

    def _walk(self, top: Path) -> Iterator[Path]:
        for folder, folders, names in os.walk(top, onerror=self._report_unreadable):
            here = Path(folder)
            folders[:] = [f for f in folders if not f.startswith(".") and f not in _SKIPPED]
            for link in (here / f for f in folders if (here / f).is_symlink()):
                if not self._is_inside(link):
                    self._refuse(link, Code.OUTSIDE_REPOSITORY, "this link leads out of the repository")
            yield from (here / n for n in names if _is_wanted(PurePath(n)))

    def _report_unreadable(self, error: OSError) -> None:
        path = Path(os.fsdecode(error.filename)) if error.filename else self.root
        self._refuse(path, Code.UNREADABLE, error.strerror or "it could not be read")

    def _take_file(self, path: Path) -> None:
        # Who asks for a file outside by its own path gets it; a link inside that leads out does not.
        if path.is_relative_to(self.root) and not self._is_inside(path):
            self._refuse(path, Code.OUTSIDE_REPOSITORY, "this link leads out of the repository")
            return
        try:
            real = path.resolve(strict=True)
            if real in self.seen:
                return
            source = _read_regular(real)
        except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links, on Python 3.11 and 3.12
            self._refuse(path, Code.UNREADABLE, getattr(error, "strerror", None) or "it could not be read")
            return
        if source is None:
            self._refuse(path, Code.NOT_A_FILE, "not a regular file")
            return
        self.seen.add(real)
        self.found.files.append((self._short(path), source))

    def _is_inside(self, path: Path) -> bool:
        with suppress(OSError, RuntimeError):  # what cannot be resolved is reported when it is opened
            return path.resolve().is_relative_to(self.root)
        return True

    def _short(self, path: Path) -> Path:
        return path.relative_to(self.root) if path.is_relative_to(self.root) else path

    def _refuse(self, path: Path, code: Code, message: str) -> None:
        self.found.problems.append(Problem(self._short(path).as_posix(), code, message))


def _read_regular(path: Path) -> bytes | None:
    """At most one byte more than a plan file may have; None of a folder, pipe or device (never blocks)."""
    if stat.S_ISDIR(path.stat().st_mode):  # Windows cannot open folders
        return None
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(MAX_FILE + 1)
