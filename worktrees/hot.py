"""Hot files: files that everybody edits, and what a merge does with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from worktrees.trees import Entry

    Rebuild: TypeAlias = Callable[[str, frozenset[str]], Mapping[str, Entry]]


@dataclass(frozen=True, slots=True)
class Hot:
    """The hot files of a target, by what is done with them; ``fragments`` maps each to its folder.

    ``rebuild`` is given a merged tree and those of ``regenerate`` that are to be made anew in it, and returns
    them as they are then. What it raises comes out of the merge.
    """

    union: frozenset[str] = frozenset()
    regenerate: frozenset[str] = frozenset()
    fragments: Mapping[str, str] = field(default_factory=dict)
    rebuild: Rebuild | None = None

    @property
    def made(self) -> frozenset[str]:
        """The files that are made from others, not merged."""
        return self.regenerate | self.fragments.keys()


NONE: Final = Hot()
