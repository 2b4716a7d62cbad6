"""Many landed references as one file: git reads one file for each that is loose."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from plans.effects import step

if TYPE_CHECKING:
    from worktrees.git import Git

MANY: Final = 1000
"""Loose references of planctl's from which on they are packed."""
_ONLY_SOME: Final = (2, 42)


def pack_references(git: Git, many: int = MANY) -> bool:
    """Pack when ``many`` of planctl's are loose; whether it was done.

    git packs planctl's alone since 2.42. Before, it packs all there are, as its own ``gc`` does, and is
    asked to only where the user has not turned that off (``gc.packRefs``).
    """
    root = git.repository.common_dir / "refs" / "planctl"
    loose = (path for path in root.rglob("*") if path.is_file())
    if len(list(itertools.islice(loose, many))) < many:
        return False
    words = ("--include", "refs/planctl/*") if git.version >= _ONLY_SOME else ("--all",)
    turned_off = git.run("config", "--get", "gc.packRefs", ok=(0, 1)).text == "false"
    if words == ("--all",) and turned_off:
        return False
    with step("packing.references"):
        git.run("pack-refs", *words, writes=True)
    return True
