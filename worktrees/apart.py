"""Whether two sides of a merge are so far apart that git has nothing to decide: by changed paths alone.

Apart means a clean merge. Nothing is said of sides that are not apart: git's engine is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Touched:
    """What one side changed since the common ancestor: paths, the folders above them, and how."""

    paths: frozenset[str]
    folders: frozenset[str]
    adds: bool
    deletes: bool

    @classmethod
    def of(cls, changes: Mapping[str, str]) -> Touched:
        """From path to git's letter (renames told as a deletion and an addition)."""
        folders = {folder for path in changes for folder in _above(path)}
        letters = {*changes.values()}
        return cls(frozenset(changes), frozenset(folders), "A" in letters, "D" in letters)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def are_apart(one: Touched, other: Touched) -> bool:
    """Whether the merge of both is clean whatever is in the files.

    A deletion may be half of a folder's rename, which takes along what the other side adds there.
    """
    if (one.deletes and other.adds) or (other.deletes and one.adds):
        return False
    return (
        one.paths.isdisjoint(other.paths)
        and one.paths.isdisjoint(other.folders)
        and one.folders.isdisjoint(other.paths)
    )
