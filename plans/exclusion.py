"""The exact search: a path that one pattern and some others share, and that a list of exclusions leaves.

1. A state is a position of ``a``, a position of ``b``, and the set of all positions of the exclusions that
   the bytes so far can have led to. A path is found when the first two accept and no position of the set
   does.
2. States are visited breadth first, so that the path is among the shortest. A state is left out when one was
   seen with the same two positions and a set within its own: whatever that one cannot reach, it cannot either
   (the antichains of De Wulf, Doyen, Henzinger and Raskin, CAV 2006).
3. What no tree can hold (empty components, ``.``, ``..``, ``.git`` in the spellings that git refuses) is one
   more exclusion.

Emptiness with exclusions is hard in general, so that the work is bounded; beyond it the search gives up.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from plans.automaton import UNIVERSE, Automaton, bits_of, chain, hopes
from plans.wildmatch import ANY, SLASH, STAR, Shape, Tail, byte_set, literal_shape, wild_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plans.automaton import Chain

_UNFIT: Final = re.compile(rb"|\.|\.\.|(?:\.git|git~1)[ .]*(?:[:\\].*)?", re.IGNORECASE | re.DOTALL)
LETTERS: Final = byte_set(b"abcdefghijklmnopqrstuvwxyz")
_READABLE: Final = (
    LETTERS,
    *(byte_set(group) for group in (b"0123456789", b"_-./", bytes(range(0x41, 0x5B)))),
)
_PRINTABLE: Final = byte_set(bytes(range(0x21, 0x7F)))


class OutOfBudgetError(Exception):
    """The bound on work was reached; only :mod:`plans.intersect` sees this."""


@dataclass(slots=True)
class Budget:
    """Steps that may still be taken, about a microsecond each."""

    left: int

    def spend(self, steps: int) -> None:
        """Take steps away, or raise :class:`OutOfBudgetError`."""
        self.left -= steps
        if self.left < 0:
            raise OutOfBudgetError


def is_fit(name: bytes) -> bool:
    """Whether git lets a tree hold a file or folder of this name (with ``core.protectNTFS``, the default)."""
    return _UNFIT.fullmatch(name) is None


def readable_byte(members: int) -> bytes:
    """The byte of the set that is nicest to read in a path."""
    for group in (*_READABLE, _PRINTABLE, members):
        if members & group:
            found = members & group
            return bytes([(found & -found).bit_length() - 1])
    raise ValueError("the set is empty")


@lru_cache(maxsize=1024)
def automaton_of(raws: tuple[bytes, ...]) -> Automaton:
    """The union of patterns, given by their bytes without ``!``; owners are their numbers."""
    return Automaton(_chains(raws))


def _chains(raws: tuple[bytes, ...]) -> Iterator[Chain]:
    for owner, raw in enumerate(raws):
        # The text taken literally comes last: what the wildcards take is nicer to read.
        literal = () if b"*" in raw or b"?" in raw else (literal_shape(raw),)
        for shape in dict.fromkeys((*wild_shapes(raw), *literal)):
            if (found := chain(owner, shape)) is not None:
                yield found


def _unfit_chains() -> Iterator[Chain]:
    dot, filler = byte_set(b"."), -byte_set(b" .")
    words: list[tuple[int, ...]] = [(dot,), (dot, dot)]
    for name in (b".git", b"git~1"):
        letters = tuple(byte_set(bytes([value]).lower() + bytes([value]).upper()) for value in name)
        words += [(*letters, filler), (*letters, filler, byte_set(b":\\"), STAR)]
    for word in words:
        found = chain(-1, Shape(((), word), Tail.SELF_OR_BELOW))
        assert found is not None
        yield found
    yield -1, [SLASH, -ANY], False
    yield -1, [-ANY, SLASH], False
    yield -1, [-ANY, SLASH, SLASH, -ANY], False


class Exclusions:
    """The union of patterns and of all that no tree can hold, and where its bytes lead."""

    def __init__(self, raws: tuple[bytes, ...], budget: Budget) -> None:
        self.automaton = Automaton([*_chains(raws), *_unfit_chains()])
        self._budget = budget
        budget.spend(2 * len(self.automaton))
        self._classes = _partition(self.automaton.masks)
        self._everything = _absorbing(self.automaton)
        self._leads: dict[int, list[tuple[int, int]]] = {}

    def leads(self, taken: int) -> list[tuple[int, int]]:
        """Where the positions ``taken`` lead: disjoint sets of bytes, each with the positions they lead to.

        Bytes after which every path is excluded are left out.
        """
        known = self._leads.get(taken)
        if known is None:
            self._budget.spend(len(self._classes))
            merged: dict[int, int] = {}
            for members in self._classes:
                after = self.automaton.moved(taken, members)
                if not after & self._everything:
                    merged[after] = merged.get(after, 0) | members
            known = self._leads[taken] = [(members, after) for after, members in merged.items()]
        return known


@dataclass(frozen=True, slots=True)
class _Visit:
    """A state of the search, and how it was come to."""

    a: int
    b: int
    taken: int
    before: _Visit | None
    byte: bytes

    def text(self) -> bytes:
        parts: list[bytes] = []
        visit: _Visit | None = self
        while visit is not None:
            parts.append(visit.byte)
            visit = visit.before
        return b"".join(reversed(parts))


class Search:
    """One search. ``shared_path`` gives a path of ``a`` and ``b`` that ``excluded`` does not have."""

    def __init__(self, a: Automaton, b: Automaton, excluded: Exclusions, budget: Budget) -> None:
        self._a = a
        self._b = b
        self._excluded = excluded
        self._budget = budget
        budget.spend(len(a) * (1 + len(b) // 1000))
        self._hopes = hopes(a, b)
        self._seen: dict[tuple[int, int], list[int]] = {}
        self._ways: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def shared_path(self) -> bytes | None:
        """The path, or None when there is none. Raises :class:`OutOfBudgetError`."""
        waiting: deque[_Visit] = deque()
        for x in self._a.starts:
            waiting.extend(
                _Visit(x, y, self._excluded.automaton.start, None, b"")
                for y in self._b.starts
                if self._is_new(x, y, self._excluded.automaton.start)
            )
        while waiting:
            visit = waiting.popleft()
            if self._accepts(visit):
                return visit.text()
            waiting.extend(self._next(visit))
        return None

    def _accepts(self, visit: _Visit) -> bool:
        if visit.taken & self._excluded.automaton.accept:
            return False
        ends = self._b.accepts
        return any(x in self._a.accepts for x in _closure(self._a, visit.a)) and any(
            y in ends for y in _closure(self._b, visit.b)
        )

    def _next(self, visit: _Visit) -> Iterator[_Visit]:
        for of_a, x in self._ways_of(0, visit.a):
            for of_b, y in self._ways_of(1, visit.b):
                both = of_a & of_b
                if not both:
                    continue
                for members, taken in self._excluded.leads(visit.taken):
                    if both & members and self._is_new(x, y, taken):
                        yield _Visit(x, y, taken, visit, readable_byte(both & members))

    def _is_new(self, x: int, y: int, taken: int) -> bool:
        if not self._hopes[x] >> y & 1:
            return False
        known = self._seen.setdefault((x, y), [])
        self._budget.spend(4 + len(known) // 4)
        if any(old & taken == old for old in known):
            return False
        known[:] = [old for old in known if old & taken != taken]
        known.append(taken)
        return True

    def _ways_of(self, side: int, place: int) -> list[tuple[int, int]]:
        known = self._ways.get((side, place))
        if known is None:
            automaton = self._b if side else self._a
            known = self._ways[side, place] = []
            for p in _closure(automaton, place):
                ways = ((automaton.steps[p], p + 1), (automaton.loops[p], p))
                known.extend(way for way in ways if way[0])
        return known


def _closure(automaton: Automaton, place: int) -> list[int]:
    places = [place]
    while automaton.skips[places[-1]]:
        places.append(places[-1] + automaton.skips[places[-1]])
    return places


def _partition(masks: set[int]) -> list[int]:
    """The coarsest disjoint sets of bytes such that each mask is a union of some."""
    classes = [UNIVERSE]
    for mask in sorted(masks):
        classes = [part for known in classes for part in (known & mask, known & ~mask) if part]
    return classes


def _absorbing(automaton: Automaton) -> int:
    """Positions from which every text is accepted: what leads there need not be followed."""
    result = 0
    for place in bits_of(automaton.accept):
        before = place - 1
        if before >= 0 and automaton.loops[before] & UNIVERSE == ANY & UNIVERSE:
            result |= 1 << before
    return result
