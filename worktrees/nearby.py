"""Best common ancestors with a tip that grows, without going through its history again for each branch.

A queue lands hundreds of branches that began at one commit: each search (``history.py``) would go through all
that has landed since. So what the tip holds above such a commit, its *floor*, is kept: exactly the commits
that the tip contains and that contain the floor. When the tip grows, what it grew by is added.

A branch is followed down its only parents to the first commit that is kept, or to the floor. That is the best
common ancestor: what lies above it on the branch contains the floor, too, and is not kept, so that the tip
does not contain it. Times play no part. Whatever is not of this simple kind (merges on the branch, a fork
below the floor) is for the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Look = Callable[[str], tuple[int, tuple[str, ...]]]
    Known = Callable[[str, str], str | None]

STEPS: Final = 64
"""Commits that a branch is followed down, and that the tip may have grown by."""
MOST: Final = 50_000


class Nearby:
    """What is kept of one tip."""

    def __init__(self, look: Look, tip: str, floor: str, painted: Collection[str]) -> None:
        """``painted``: all that ``tip`` contains and ``floor`` does not, whatever else may be in it."""
        self._look = look
        self._floor = floor
        self.tip = tip
        self._above = _above(look, floor, painted)

    def grow(self, tip: str, known: Known) -> bool:
        """Go on with ``tip``; False where it did not grow from the last one in a simple way.

        ``known`` says what is known by now of the best common ancestor of a tip and what was merged into it.
        """
        new: list[tuple[str, tuple[str, ...]]] = []
        at = tip
        while at != self.tip:
            parents = self._look(at)[1]
            if not 1 <= len(parents) <= 2 or len(new) == STEPS:  # noqa: PLR2004 - the line, and what came in
                return False
            new.append((at, parents))
            at = parents[0]
        for commit, parents in reversed(new):
            added = self._added(parents[1], known(parents[0], parents[1])) if parents[1:] else ()
            if added is None or len(self._above) > MOST:
                return False
            self._above.update((commit, *added))
            self.tip = commit
        return True

    def base(self, branch: str) -> str | None:
        """The best common ancestor of the tip and ``branch``; None: it is to be searched for."""
        chain = self._chain(branch)
        return chain[-1] if chain and self._holds(chain[-1]) else None

    def _added(self, branch: str, base: str | None) -> tuple[str, ...] | None:
        """What of a merged ``branch`` contains the floor and was not held; None: not known."""
        chain = self._chain(branch, base)
        if chain is None:
            return None
        return chain[:-1] if self._holds(chain[-1]) else ()  # forked below the floor, and never met it

    def _holds(self, commit: str) -> bool:
        return commit in self._above or commit == self._floor

    def _chain(self, branch: str, base: str | None = None) -> tuple[str, ...] | None:
        """``branch`` down its only parents to the first that is held, or to ``base``; None: it goes on."""
        found = [branch]
        while not self._holds(branch) and branch != base:
            parents = self._look(branch)[1]
            if len(parents) != 1 or len(found) > STEPS:
                return None
            branch = parents[0]
            found.append(branch)
        return tuple(found)


def _above(look: Look, floor: str, painted: Collection[str]) -> set[str]:
    """Those of ``painted`` that contain ``floor``."""
    children: dict[str, list[str]] = {}
    for commit in painted:
        for parent in look(commit)[1]:
            children.setdefault(parent, []).append(commit)
    found: set[str] = set()
    waiting = [floor]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found
