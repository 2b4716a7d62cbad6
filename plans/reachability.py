"""Which node comes before which, kept while edges are added; one bit a node, so a question costs one test.

Asking networkx for a path at each of n² pairs walks the whole graph each time. Here the set of all later
nodes is one integer a node: ``comes_before`` is a shift, ``add`` is one ``|`` for each earlier node
(Italiano, "Amortized efficiency of a path retrieval data structure", 1986).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Reachability:
    """A growing order over ``names``. Edges that would close a circle are the caller's mistake."""

    def __init__(self, names: Iterable[str]) -> None:
        self._number = {name: number for number, name in enumerate(names)}
        self._later = [0] * len(self._number)

    def comes_before(self, first: str, second: str) -> bool:
        """Whether a path leads from ``first`` to ``second`` (a node does not come before itself)."""
        return bool(self._later[self._number[first]] >> self._number[second] & 1)

    def add(self, first: str, second: str) -> None:
        """Put ``first`` before ``second``; raises ValueError when that would close a circle."""
        if first == second or self.comes_before(second, first):
            raise ValueError(f"{first} before {second} would close a circle")
        if self.comes_before(first, second):
            return
        start, end = self._number[first], self._number[second]
        gained = self._later[end] | 1 << end
        for number, later in enumerate(self._later):
            if number == start or later >> start & 1:
                self._later[number] = later | gained
