"""Many patterns as one automaton whose states are the bits of an integer.

A pattern's shape is a chain of positions, each with at most three ways on: take a byte of ``step`` to the
next position, take a byte of ``loop`` and stay, or jump ``skip`` positions ahead without a byte. Chains of
many patterns lie behind each other in one integer, so that a whole set of positions moves in a few
operations on integers (the Shift-And idea of Baeza-Yates and Gonnet, CACM 1992; the run of positions that
a loop of the other side slides over is filled by the carry of one addition, as in Myers, JACM 1999).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.wildmatch import ANY, DEEP, NAME, SLASH, Shape, Tail, byte_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UNIVERSE: Final = ANY & ~byte_set(b"*?")
"""Bytes of names that files may come to have. A folder that is called ``*`` can be had on some platforms,
but is never meant: without this, ``src/*`` and ``src/*/x`` would share the path ``src/*/x``."""


Chain = tuple[int, list[int], bool]
"""The owner, the tokens (:data:`plans.wildmatch.STAR`), and whether the tail may also be left out."""


class Automaton:
    """The union of chains. ``owners[p]`` is the number of the pattern that position ``p`` belongs to."""

    def __init__(self, chains: Iterable[Chain]) -> None:
        self.steps: list[int] = []
        self.loops: list[int] = []
        self.skips: list[int] = []
        self.owners: list[int] = []
        starts: list[int] = []
        accepts: list[int] = []
        for owner, tokens, accepts_before_tail in chains:
            starts.append(len(self.steps))
            for token in tokens:
                self._add(owner, token)
            accepts.append(len(self.steps))
            if accepts_before_tail:
                accepts.append(len(self.steps) - _TAIL_LENGTH)
            self._place(owner)
        self._index(starts, accepts)

    def _add(self, owner: int, token: int) -> None:
        if token == _DEEP_TOKEN:
            self._place(owner, step=NAME & UNIVERSE, skip=2)
            self._place(owner, step=SLASH, loop=ANY & UNIVERSE)
        elif token < 0:
            self._place(owner, loop=-token, skip=1)
        else:
            self._place(owner, step=token)

    def _place(self, owner: int, step: int = 0, loop: int = 0, skip: int = 0) -> None:
        self.steps.append(step)
        self.loops.append(loop)
        self.skips.append(skip)
        self.owners.append(owner)

    def _index(self, starts: list[int], accepts: list[int]) -> None:
        self._with_step = {m: self._bits(p) for m, p in _places(self.steps).items()}
        self._with_loop = {m: self._bits(p) for m, p in _places(self.loops).items()}
        skips = _places(self.skips)
        self._skip_one = self._bits(skips.get(1, []))
        self._skip_two = self._bits(skips.get(2, []))
        self._moving: dict[int, tuple[int, int]] = {}
        self.starts = starts
        self.start = self.closed(self._bits(starts))
        self.accept = self._bits(accepts)
        self.accepts = set(accepts)

    def _bits(self, places: Iterable[int]) -> int:
        buffer = bytearray(len(self.steps) // 8 + 1)
        for place in places:
            buffer[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(buffer, "little")

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def masks(self) -> set[int]:
        """The distinct sets of bytes that positions take."""
        return {*self._with_step, *self._with_loop}

    def moving(self, members: int) -> tuple[int, int]:
        """The positions that can step, and those that can loop, on a byte of ``members``."""
        known = self._moving.get(members)
        if known is None:
            stepping = looping = 0
            for mask, places in self._with_step.items():
                if mask & members:
                    stepping |= places
            for mask, places in self._with_loop.items():
                if mask & members:
                    looping |= places
            known = self._moving[members] = (stepping, looping)
        return known

    def closed(self, states: int) -> int:
        """With the positions that are reached without a byte."""
        states |= (states & self._skip_two) << 2
        return states | (states & self._skip_one) << 1

    def moved(self, states: int, members: int) -> int:
        """Where one byte of ``members`` leads from ``states``, closed."""
        stepping, looping = self.moving(members)
        return self.closed((states & stepping) << 1 | states & looping)

    def slid(self, states: int, members: int) -> int:
        """Where any number of bytes of ``members`` leads from ``states``, which are closed."""
        passing = self.moving(members)[0] | self._skip_one
        while True:
            filled = states | ((states & passing) + passing) ^ passing
            filled |= (filled & self._skip_two) << 2
            if filled == states:
                return states
            states = filled

    def opened(self, states: int) -> int:
        """The reverse of :meth:`closed`: with the positions that reach ``states`` without a byte."""
        states |= states >> 1 & self._skip_one
        return states | states >> 2 & self._skip_two

    def unmoved(self, states: int, members: int) -> int:
        """The reverse of :meth:`moved`."""
        stepping, looping = self.moving(members)
        return self.opened(states >> 1 & stepping | states & looping)

    def unslid(self, states: int, members: int) -> int:
        """The reverse of :meth:`slid`: runs are filled by doubling (Kogge and Stone, 1973)."""
        while True:
            filled, passing, width = states, self.moving(members)[0] | self._skip_one, 1
            while passing:
                filled |= passing & filled >> width
                passing &= passing >> width
                width *= 2
            filled |= filled >> 2 & self._skip_two
            if filled == states:
                return states
            states = filled


_DEEP_TOKEN: Final = 0
_TAIL: Final = (SLASH, NAME & UNIVERSE, -(ANY & UNIVERSE))
_TAIL_LENGTH: Final = len(_TAIL)


def chain(owner: int, shape: Shape) -> Chain | None:
    """The chain of a shape, or None when it takes only names outside of :data:`UNIVERSE`."""
    tokens: list[int] = []
    for number, component in enumerate(shape.components):
        if component == DEEP:
            tokens.append(_DEEP_TOKEN)
            continue
        for token in component:
            allowed = abs(token) & UNIVERSE
            if not allowed:
                return None
            tokens.append(allowed if token > 0 else -allowed)
        if number < len(shape.components) - 1:
            tokens.append(SLASH)
    if shape.tail is not Tail.NOTHING:
        tokens.extend(_TAIL if shape.components else _TAIL[1:])
    return owner, tokens, shape.tail is Tail.SELF_OR_BELOW


def _places(values: list[int]) -> dict[int, list[int]]:
    result: dict[int, list[int]] = {}
    for place, value in enumerate(values):
        if value:
            result.setdefault(value, []).append(place)
    return result


def bits_of(states: int) -> Iterator[int]:
    """The positions in a set, lowest first."""
    while states:
        lowest = states & -states
        yield lowest.bit_length() - 1
        states ^= lowest


def meetings(a: Automaton, b: Automaton) -> Iterator[tuple[int, int]]:
    """Each accepting position of ``a``, with the accepting positions of ``b`` that some path reaches with it.

    One pass over the positions of ``a`` in order, each with the set of all positions of ``b`` that the same
    bytes can have led to; ways lead only ahead, so that one pass is enough.
    """
    waiting: dict[int, int] = dict.fromkeys(a.starts, b.start)
    for place in range(len(a)):
        here = waiting.pop(place, 0)
        if not here:
            continue
        if a.loops[place]:
            here = b.slid(here, a.loops[place])
        if a.skips[place]:
            ahead = place + a.skips[place]
            waiting[ahead] = waiting.get(ahead, 0) | here
        if a.steps[place] and (ahead := b.moved(here, a.steps[place])):
            waiting[place + 1] = waiting.get(place + 1, 0) | ahead
        if place in a.accepts and here & b.accept:
            yield place, here & b.accept


def hopes(a: Automaton, b: Automaton) -> list[int]:
    """For each position of ``a`` those of ``b`` from which one text leads both to acceptance."""
    result = [0] * (len(a) + 2)
    for place in range(len(a) - 1, -1, -1):
        here = b.opened(b.accept) if place in a.accepts else 0
        if a.skips[place]:
            here |= result[place + a.skips[place]]
        if a.steps[place]:
            here |= b.unmoved(result[place + 1], a.steps[place])
        here = b.opened(here)
        if a.loops[place]:
            here = b.unslid(here, a.loops[place])
        result[place] = here
    return result
