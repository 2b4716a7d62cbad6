"""The worktree that a rescue is brought back into, and its files as they were when it was first looked at."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from plans.errors import ChangedMeanwhileError
from worktrees.beforehand import is_closed
from worktrees.restorejournal import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from worktrees.git import Git

Sign: TypeAlias = "tuple[int, ...] | None"


@dataclass(frozen=True, slots=True)
class Target:
    """A worktree and its git folder, both resolved; ``held`` are locks that git children there inherit."""

    git: Git
    into: Path
    git_dir: Path
    held: tuple[int, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the journal of restores into it is."""
        return folder_of(self.git.repository, self.git_dir)

    def sign(self, path: str) -> Sign:
        """What changes whenever the file or link at ``path`` does; None where none is."""
        if is_closed(self.into, path) or not os.path.lexists(self.into / path):
            return None
        seen = (self.into / path).lstat()
        if stat.S_ISDIR(seen.st_mode):
            return None
        return seen.st_mode, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


@dataclass(slots=True)
class Touching:
    """Looks at each path once more right before it is written, and remembers that it was begun."""

    target: Target
    seen: dict[str, Sign] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    wrote: dict[str, Sign] = field(default_factory=dict)

    def look(self, paths: Iterable[str]) -> None:
        """Take these paths as they are now for what the restore is decided on."""
        self.seen.update((path, self.target.sign(path)) for path in paths if path not in self.seen)

    def give_up(self, folders: Iterable[str]) -> None:
        """What is in these folders is about to be deleted as a whole."""
        for folder in folders:
            self.seen = {p: sign for p, sign in self.seen.items() if not p.startswith(f"{folder}/")}

    def moved(self, paths: Iterable[str]) -> None:
        """git is about to write these itself, and looks itself."""
        for path in paths:
            self.paths.add(path)
            self.seen.pop(path, None)

    def __call__(self, path: str) -> None:
        """Begin with ``path``; raises :class:`ChangedMeanwhileError` where somebody was faster."""
        if path in self.seen and path not in self.paths and self.target.sign(path) != self.seen[path]:
            raise ChangedMeanwhileError((self.target.into / path,))
        self.paths.add(path)

    def written(self, path: str) -> None:
        """``path`` is as the restore wants it: whatever it is later, somebody else did."""
        self.wrote[path] = self.target.sign(path)

    def edited(self) -> tuple[str, ...]:
        """Paths that somebody has changed after they were written."""
        return tuple(path for path, sign in self.wrote.items() if self.target.sign(path) != sign)
