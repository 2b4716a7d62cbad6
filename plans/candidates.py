"""Which plans may overlap at all: an index over how the paths of their patterns begin and end.

Two patterns can share a path only if

1. the literal prefix of one begins with that of the other: all prefixes are sorted, so that those that begin
   the present one lie on a stack;
2. and, where every path of a pattern has a last name of its own (``src/**/test_*.py``), the beginnings and
   the ends of these names agree as well.

Pairs that differ in either are never looked at, so the cost grows with plans and with what they may share.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from plans.agreeing import Agreeing
from plans.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from plans.model import Manifest
    from plans.patterns import Pattern
    from plans.tree import FileTree


_ANY_NAME: Final = ("", "")
_FEW: Final = 8


class _Entry(NamedTuple):
    """One positive pattern of one plan. ``ends``: of the last name of all its paths, the end backwards."""

    plan: int
    writes: bool
    prefix: str
    ends: tuple[str, str]


class _Place:
    """The patterns of one literal prefix; many are kept by how last names begin, then how they end."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self.entries = list(entries)
        self._index: Agreeing[Agreeing[list[_Entry]]] | None = None

    def agreeing(self, entry: _Entry) -> Iterable[_Entry]:
        """Those whose last names may be one of ``entry``; a few are not worth an index."""
        return self.entries if len(self.entries) <= _FEW else self._looked_up(*entry.ends)

    def _looked_up(self, beginning: str, end: str) -> Iterator[_Entry]:
        if self._index is None:
            self._index = Agreeing(lambda: Agreeing(list))
            for entry in self.entries:
                self._index.at(entry.ends[0]).at(entry.ends[1]).append(entry)
        for by_end in self._index.agreeing(beginning):
            for entries in by_end.agreeing(end):
                yield from entries


def candidate_pairs(manifests: Sequence[Manifest], tree: FileTree) -> set[tuple[int, int, bool, bool]]:
    """What is worth an exact test: first and second plan by number, and whether each writes (else it reads).

    The first number is the smaller one, and one of the two writes. ``tree`` says where there is a folder
    whose name has a ``*`` in it: a pattern's text names what lies there.
    """
    entries = sorted(set(_entries(manifests, tree)), key=lambda entry: entry.prefix)
    found: set[tuple[int, int, bool, bool]] = set()
    above: list[tuple[str, _Place]] = []
    for prefix, same in groupby(entries, key=lambda entry: entry.prefix):
        while above and not prefix.startswith(above[-1][0]):
            above.pop()
        here = _Place(same)
        above.append((prefix, here))
        if len(above) == 1 and len(here.entries) == 1:
            continue
        for entry in here.entries:
            for _, place in above:
                found.update(_pairs(entry, place.agreeing(entry)))
    return found


def _entries(manifests: Sequence[Manifest], tree: FileTree) -> Iterator[_Entry]:
    for number, manifest in enumerate(manifests):
        for writes, patterns in ((True, manifest.write), (False, manifest.read)):
            for pattern in patterns.patterns:
                if not pattern.negated:
                    for prefix, ends in _lying(pattern, tree):
                        yield _Entry(number, writes, prefix, ends)


def _lying(pattern: Pattern, tree: FileTree) -> Iterator[tuple[str, tuple[str, str]]]:
    """Where paths of the pattern are: the literal prefix, and the beginning and the end of last names."""
    kind = plain(pattern.glob)
    if kind is None:
        literal = pattern.literal_prefix
        yield (literal if pattern.has_wildcard else f"{literal.removesuffix('/')}/"), _ANY_NAME
    elif kind.ends is None:
        yield kind.head, _ANY_NAME
    else:
        before, after = kind.ends
        yield (kind.head if kind.deep else kind.head + before), (before, after[::-1])
        if tree.has_folder(pattern.glob):
            yield f"{pattern.glob}/", _ANY_NAME


def _pairs(entry: _Entry, others: Iterable[_Entry]) -> Iterator[tuple[int, int, bool, bool]]:
    for other in others:
        if entry.writes or other.writes:
            if entry.plan < other.plan:
                yield entry.plan, other.plan, entry.writes, other.writes
            elif other.plan < entry.plan:
                yield other.plan, entry.plan, other.writes, entry.writes
