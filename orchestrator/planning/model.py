"""What the planner of the queue sees and what it wants. Pure values: no git, no clock, no store.

A :class:`Stack` is what one check tests: entries on top of the target, the *assumed* ones first, which are
taken to land before, then the *tested* ones, about whose landing the check decides. All in queue order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from orchestrator.planning.window import FIRST

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIES: Final = 2
"""Red checks of an entry by itself before it is out: one may be an accident (S12)."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Entries on top of the target's tip; ``assumed`` + ``tested`` is the order in which they are merged."""

    assumed: tuple[str, ...]
    tested: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """All entries that the checked tree holds and the target does not."""
        return self.assumed + self.tested


@dataclass(frozen=True, slots=True)
class Known:
    """How often a stack's check passed and failed; a check without a verdict counts as neither."""

    passed: int = 0
    failed: int = 0

    def __add__(self, more: Known) -> Known:
        return Known(self.passed + more.passed, self.failed + more.failed)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry. ``success``: the probability that it lands, as far as can be told without its checks."""

    id: str
    success: float = 0.9


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured shares: ``failure`` of entries that fail alone, ``flake`` of checks red by accident."""

    failure: float = 0.05
    flake: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """One read of the queue.

    ``items`` are those that may land, in queue order. ``meets`` has a bit set for each (bit i: item i) of
    *earlier* items that it conflicts with or depends on; two items in neither's set may skip each
    other's check. ``known`` speaks of stacks on the target as it is (see :mod:`.knowledge`).
    ``running`` are the checks at work and ``slots`` how many may be. ``window`` is how many units prefix
    speculation may have under way, as :func:`.window.after` keeps it. ``twice``: whether one stack may be
    checked twice at once; ``checks`` of :class:`Wanted` then holds it twice. ``tries``: red checks by which
    an entry is out.
    """

    items: tuple[Item, ...]
    meets: tuple[int, ...]
    needs: tuple[int, ...] = ()
    known: Mapping[Stack, Known] = field(default_factory=dict)
    running: tuple[Stack, ...] = ()
    slots: int = 1
    rates: Rates = field(default_factory=Rates)
    window: int = FIRST
    twice: bool = False
    tries: int = TRIES

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where each item stands in ``items``."""
        return {item.id: number for number, item in enumerate(self.items)}

    def mask(self, ids: tuple[str, ...]) -> int:
        """The bit set of these items. Raises KeyError for one that is not there."""
        found = 0
        for name in ids:
            found |= 1 << self.place[name]
        return found

    @cached_property
    def _bits(self) -> Mapping[str, int]:
        return {item.id: 1 << number for number, item in enumerate(self.items)}

    def mask_of_waiting(self, ids: tuple[str, ...]) -> int | None:
        """The bit set of these items; None where one of them is not there any more."""
        bits, found = self._bits, 0
        for name in ids:
            bit = bits.get(name)
            if bit is None:
                return None
            found |= bit
        return found

    def ids(self, mask: int) -> tuple[str, ...]:
        """The items of a bit set, in queue order."""
        found = []
        while mask:
            lowest = mask & -mask
            found.append(self.items[lowest.bit_length() - 1].id)
            mask ^= lowest
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be: ``land`` whole, as one; ``eject`` with what ``known`` says of it; ``checks`` to run.

    ``checks`` holds the running ones that are still worth their slot, and is never longer than ``slots``;
    a running one that is not in it is to be stopped.
    """

    land: Stack | None = None
    eject: str | None = None
    checks: tuple[Stack, ...] = ()
