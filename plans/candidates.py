"""Which plans may overlap at all: an index over the folders that their patterns begin with.

Two patterns can share a path only if the literal prefix of one begins with that of the other. So each pattern
is kept under the folder that all its paths lie in (or under itself, without wildcards), and meets only those
under the same folder and the folders above it. Pairs elsewhere in the tree are never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from plans.model import Manifest
    from plans.patterns import Pattern


@dataclass(frozen=True, slots=True)
class _Entry:
    """One positive pattern of one plan."""

    plan: int
    writes: bool
    prefix: str


def candidate_pairs(manifests: Sequence[Manifest]) -> set[tuple[int, int, bool, bool]]:
    """What is worth an exact test: first and second plan by number, and whether each writes (else it reads).

    The first number is the smaller one, and one of the two writes.
    """
    index: dict[str, list[_Entry]] = {}
    for number, manifest in enumerate(manifests):
        for writes, patterns in ((True, manifest.write), (False, manifest.read)):
            for pattern in patterns.patterns:
                if not pattern.negated:
                    entry = _Entry(number, writes, pattern.literal_prefix)
                    index.setdefault(_place(pattern, entry.prefix), []).append(entry)
    return set(_pairs(index))


def _place(pattern: Pattern, prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1] if pattern.has_wildcard else prefix.removesuffix("/") + "/"


def _pairs(index: dict[str, list[_Entry]]) -> Iterator[tuple[int, int, bool, bool]]:
    for place, entries in index.items():
        for above in _above(place):
            for other in index.get(above, ()):
                for entry in entries:
                    if entry.plan != other.plan and (entry.writes or other.writes) and _agree(entry, other):
                        first, second = sorted((entry, other), key=lambda one: one.plan)
                        yield first.plan, second.plan, first.writes, second.writes


def _above(place: str) -> Iterable[str]:
    """The place itself and the folders above it, down to the top, which is empty."""
    while place:
        yield place
        place = place[: place.rfind("/", 0, -1) + 1]
    yield ""


def _agree(one: _Entry, other: _Entry) -> bool:
    return one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
