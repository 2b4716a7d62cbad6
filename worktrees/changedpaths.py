"""Which paths differ between two commits: what a landing changes in a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

ALL_SUBMODULES: Final = "--ignore-submodules=none"
"""For every diff and status that decides something: ``ignore`` of ``.gitmodules`` would hide changes."""
GITLINK: Final = "160000"
"""The mode of a submodule."""
_NOTHING: Final = "0" * 40


@dataclass(frozen=True, slots=True)
class Changed:
    """A path that differs between two commits; a mode of ``000000`` says that it is not there."""

    path: str
    old_mode: str
    new_mode: str
    old: str
    new: str

    @property
    def is_added(self) -> bool:
        """Whether the path is new."""
        return self.old == _NOTHING

    @property
    def is_deleted(self) -> bool:
        """Whether the path goes away."""
        return self.new == _NOTHING


@lru_cache(maxsize=8)
def changed_between(git: Git, old: str, new: str, at: Path | None = None) -> tuple[Changed, ...]:
    """The paths that differ between the trees of two commits, without renames; asked thrice a landing.

    ``at`` is a folder of another repository, a submodule.
    """
    every = ("diff-tree", "-r", "-z", "--no-renames", ALL_SUBMODULES, "--raw")
    fields = git.run(*every, old, new, at=at).records
    found = []
    for info, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_id, new_id, _ = info.removeprefix(":").split()
        found.append(Changed(path, old_mode, new_mode, old_id, new_id))
    return tuple(found)
