"""Do two pattern sets share a path? Yes with a witness, or no; exact, and for files that do not exist yet.

1. All positive patterns of both sides are set against each other in one pass over two automata
   (:func:`plans.automaton.meetings`); mostly this ends here, with no.
2. For some of the pairs that meet, a readable path is written down straight away. It counts only if both sets
   match it, by the regular expressions of :mod:`plans.patterns`, which know nothing of the automata.
3. Where exclusions (or names that no tree can hold) spoil those, the exact search of :mod:`plans.exclusion`
   decides, for each stretch of positive patterns with the exclusions that come after it.

The paths that count are those that a tree can hold: no empty component, no ``.``, ``..`` or ``.git`` in any
spelling that git refuses; and none with a ``*`` or ``?`` in a name (see ``UNIVERSE``).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice, product
from typing import TYPE_CHECKING, Final

from plans.automaton import Automaton, bits_of, hopes, meetings
from plans.errors import UndecidedPatternsError
from plans.exclusion import (
    LETTERS,
    Budget,
    Exclusions,
    OutOfBudgetError,
    Search,
    automaton_of,
    is_fit,
    readable_byte,
)
from plans.patterns import Pattern, PatternSet

if TYPE_CHECKING:
    from collections.abc import Iterator


_GUESSES: Final = 8
_BUDGET: Final = 150_000
_TOGETHER: Final = 16


@dataclass(frozen=True, slots=True)
class Witness:
    """A path that both sets have, and the pattern of each side that gives it."""

    path: str
    pattern_a: str
    pattern_b: str


@dataclass(frozen=True, slots=True)
class _Side:
    """A pattern set taken apart: its positive patterns, and for each the exclusions that come after it."""

    positive: tuple[Pattern, ...]
    taken_after: tuple[tuple[Pattern, ...], ...]
    prefixes: tuple[str, ...]


def witness(a: PatternSet, b: PatternSet) -> Witness | None:
    """A path that both sets have, or None when there is none.

    Raises :class:`UndecidedPatternsError` when exclusions are so entangled that the bound on work is reached.
    """
    sides = _side(a), _side(b)
    met: list[tuple[int, int]] = []
    for i, ends in _pairs_that_meet(*sides):
        met.extend((i, j) for j in ends)
        if len(met) >= _GUESSES:
            break
    for i, j in met[:_GUESSES]:
        raw = _written_down(
            automaton_of((sides[0].positive[i].raw,)), automaton_of((sides[1].positive[j].raw,))
        )
        if raw is not None and (found := _verified(raw, sides, (i, j))) is not None:
            return found
    if not met:
        return None
    try:
        return _searched(*sides)
    except OutOfBudgetError:
        raise UndecidedPatternsError(a.texts, b.texts) from None


@lru_cache(maxsize=4096)
def _side(given: PatternSet) -> _Side:
    positive: list[Pattern] = []
    taken_after: list[tuple[Pattern, ...]] = []
    later: tuple[Pattern, ...] = ()
    seen: set[tuple[str, bool]] = set()
    for pattern in reversed(given.patterns):
        again = (pattern.glob, pattern.negated) in seen
        seen.add((pattern.glob, pattern.negated))
        if again or ((pattern.glob, True) in seen and not pattern.negated):
            continue  # the later one does all that this one does, or takes all of it away
        if pattern.negated:
            later = (pattern, *later)
        else:
            positive.append(pattern)
            taken_after.append(later)
    positive.reverse()
    taken_after.reverse()
    return _Side(tuple(positive), tuple(taken_after), tuple(one.literal_prefix for one in positive))


def _pairs_that_meet(a: _Side, b: _Side) -> Iterator[tuple[int, list[int]]]:
    """The positive patterns of ``a``, each with those of ``b`` that it shares a path with, by number."""
    some_a, some_b = _agreeing(a.prefixes, b.prefixes), _agreeing(b.prefixes, a.prefixes)
    of_a = automaton_of(tuple(a.positive[i].raw for i in some_a))
    of_b = automaton_of(tuple(b.positive[j].raw for j in some_b))
    for place, ends in meetings(of_a, of_b):
        yield some_a[of_a.owners[place]], [some_b[of_b.owners[end]] for end in bits_of(ends)]


def _agreeing(prefixes: tuple[str, ...], others: tuple[str, ...]) -> list[int]:
    """The numbers of the prefixes that begin with one of the others, or begin one of them."""
    ordered = sorted(others)
    result: list[int] = []
    for number, prefix in enumerate(prefixes):
        place = bisect_left(ordered, prefix)
        longer = place < len(ordered) and ordered[place].startswith(prefix)
        if longer or prefix.startswith(others):
            result.append(number)
    return result


def _verified(raw: bytes, sides: tuple[_Side, _Side], numbers: tuple[int, int]) -> Witness | None:
    """The witness, if a tree can hold the path and on each side the pattern of that number gives it."""
    path = raw.decode("utf-8", "surrogateescape")
    if not all(map(is_fit, raw.split(b"/"))):
        return None
    texts: list[str] = []
    for side, number in zip(sides, numbers, strict=True):
        if not side.positive[number].matches(path) or any(p.matches(path) for p in side.taken_after[number]):
            return None
        texts.append(side.positive[number].text)
    return Witness(path, texts[0], texts[1])


def _searched(a: _Side, b: _Side) -> Witness | None:
    """Search stretch against stretch: patterns of a side that have the same exclusions after them."""
    budget = Budget(_BUDGET)
    partners: dict[int, set[int]] = {}
    for i, ends in _pairs_that_meet(a, b):
        partners.setdefault(i, set()).update(ends)
    known: dict[tuple[Pattern, ...], Exclusions] = {}
    for some_a, some_b in _stretches(a, b, partners):
        taken = (*a.taken_after[some_a[0]], *b.taken_after[some_b[0]])
        if taken not in known:
            known[taken] = Exclusions(tuple(pattern.raw for pattern in taken), budget)
        of_a = automaton_of(tuple(a.positive[i].raw for i in some_a))
        of_b = automaton_of(tuple(b.positive[j].raw for j in some_b))
        raw = Search(of_a, of_b, known[taken], budget).shared_path()
        if raw is not None:
            verified = (_verified(raw, (a, b), numbers) for numbers in product(some_a, some_b))
            return next(found for found in verified if found is not None)
    return None


def _stretches(a: _Side, b: _Side, partners: dict[int, set[int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Numbers of patterns of ``a``, a few at a time as memory goes, and of those of ``b`` they meet."""
    for _, stretch in groupby(sorted(partners), key=lambda i: a.taken_after[i]):
        left = list(stretch)
        for start in range(0, len(left), _TOGETHER):
            some = left[start : start + _TOGETHER]
            met = sorted(set[int]().union(*(partners[i] for i in some)))
            for _, others in groupby(met, key=lambda j: b.taken_after[j]):
                yield some, list(others)


def _written_down(a: Automaton, b: Automaton) -> bytes | None:
    """A short path of both, read off the positions that still have hope; each move goes ahead on a side."""
    hope = hopes(a, b)
    starts = ((x, y) for x in a.starts for y in b.starts if hope[x] >> y & 1)
    for x, y in islice(starts, 1):
        return _read_off(a, b, hope, (x, y))
    return None


def _read_off(a: Automaton, b: Automaton, hope: list[int], at: tuple[int, int]) -> bytes:
    path = b""
    while not (at[0] in a.accepts and at[1] in b.accepts and is_fit(path.rpartition(b"/")[2])):
        x, y = at
        name = path.rpartition(b"/")[2]
        free = a.loops[x] & b.loops[y]
        if free and not is_fit(name) and is_fit(name + readable_byte(free)):
            path += readable_byte(free)
            continue
        for members, ahead in _moves(a, b, x, y, starts_a_name=not name):
            if hope[ahead[0]] >> ahead[1] & 1:
                path += readable_byte(members) if members else b""
                at = ahead
                break
        else:
            return path
    return path


def _moves(
    a: Automaton, b: Automaton, x: int, y: int, *, starts_a_name: bool
) -> Iterator[tuple[int, tuple[int, int]]]:
    """The moves that go ahead on a side, those without a byte (and so with an empty set of bytes) first.

    Only a name's first letter comes before those: ``src/a.py`` is nicer to read than ``src/.py``.
    """
    if starts_a_name and a.loops[x] & b.steps[y] & LETTERS:
        yield a.loops[x] & b.steps[y], (x, y + 1)
    if starts_a_name and a.steps[x] & b.loops[y] & LETTERS:
        yield a.steps[x] & b.loops[y], (x + 1, y)
    if a.skips[x]:
        yield 0, (x + a.skips[x], y)
    if b.skips[y]:
        yield 0, (x, y + b.skips[y])
    for members, ahead in (
        (a.steps[x] & b.steps[y], (x + 1, y + 1)),
        (a.steps[x] & b.loops[y], (x + 1, y)),
        (a.loops[x] & b.steps[y], (x, y + 1)),
    ):
        if members:
            yield members, ahead
