"""Plans that only share a folder: no overlap, but worth knowing when two people plan their work."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plans.ids import PlanId
    from plans.patterns import Pattern, PatternSet
    from plans.tree import FileTree

CROWD: Final = 64
"""A folder in which more plans than this write says nothing about any two of them, and is left out."""


@dataclass(frozen=True, slots=True)
class Proximity:
    """Two plans, ``a`` before ``b``, that write in the same folder but not the same files."""

    a: PlanId
    b: PlanId
    folder: str


def neighbours(
    writes: Sequence[tuple[PlanId, PatternSet]], tree: FileTree, overlapping: set[tuple[PlanId, PlanId]]
) -> tuple[Proximity, ...]:
    """One entry a pair, with the deepest folder they share; the repository's top is not one here."""
    inside: dict[str, set[PlanId]] = {}
    for plan, patterns in writes:
        for folder in {_folder(pattern, tree) for pattern in patterns.patterns if not pattern.negated}:
            inside.setdefault(folder, set()).add(plan)
    nearest: dict[tuple[PlanId, PlanId], str] = {}
    for folder in _deepest_first(inside):
        if folder and len(inside[folder]) <= CROWD:
            for pair in combinations(sorted(inside[folder]), 2):
                if pair not in overlapping:
                    nearest.setdefault(pair, folder)
    return tuple(Proximity(a, b, folder) for (a, b), folder in sorted(nearest.items()))


def _folder(pattern: Pattern, tree: FileTree) -> str:
    """The folder that the paths of a pattern lie in, as far as it is written out."""
    prefix = pattern.literal_prefix
    if not pattern.has_wildcard and not prefix.endswith("/") and tree.has_folder(prefix):
        return prefix
    return prefix[: max(prefix.rfind("/"), 0)]


def _deepest_first(folders: Iterable[str]) -> list[str]:
    return sorted(folders, key=lambda folder: (-folder.count("/"), folder))
