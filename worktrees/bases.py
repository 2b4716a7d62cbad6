"""Best common ancestors, in process: what was found is kept, and found again quickly for a tip that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.history import near_bases
from worktrees.nearby import Nearby

if TYPE_CHECKING:
    from worktrees.nearby import Look

_PAIRS: Final = 100_000
_TIPS: Final = 4
"""The target is asked about all the time, others now and then."""


class Bases:
    """Of one repository whose commits ``look`` gives; not for a shallow one, which may be fetched further."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._pairs: dict[tuple[str, str], tuple[str, ...]] = {}
        self._tips: list[Nearby] = []

    def near(self, tip: str, branch: str) -> tuple[str, ...] | None:
        """As :func:`worktrees.history.near_bases`; quick where ``tip`` was asked about before, and grew."""
        known = self._known(tip, branch)
        if known is not None:
            return known
        found = self._found(tip, branch)
        if found is not None:
            self.note(tip, branch, found)
        return found

    def note(self, one: str, other: str, found: tuple[str, ...]) -> None:
        """Keep all best common ancestors of two commits, whoever found them."""
        if len(self._pairs) > _PAIRS:
            self._pairs.clear()
        self._pairs[min(one, other), max(one, other)] = found

    def _known(self, one: str, other: str) -> tuple[str, ...] | None:
        return self._pairs.get((min(one, other), max(one, other)))

    def _found(self, tip: str, branch: str) -> tuple[str, ...] | None:
        for nearby in self._tips:
            if nearby.grow(tip, self._only):
                self._put_first(nearby)
                base = nearby.base(branch)
                return (base,) if base is not None else near_bases(self._look, tip, branch)
        above: set[str] = set()
        found = near_bases(self._look, tip, branch, only_one=above)
        if found:
            self._put_first(Nearby(self._look, tip, found[0], above))
        return found

    def _put_first(self, nearby: Nearby) -> None:
        self._tips = [nearby, *(other for other in self._tips if other is not nearby)][:_TIPS]

    def _only(self, tip: str, branch: str) -> str | None:
        found = self._known(tip, branch) or ()
        return found[0] if len(found) == 1 else None
