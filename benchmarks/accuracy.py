"""How often "these overlap" is right, and how many overlaps are found, beside what other tools do.

2,000 random pairs of pattern lists, none of which takes away, so that all ways can say what they mean. The
truth is git's: a pair overlaps if `git ls-files ':(glob)…'` names one path for both, among all paths of up to
three small names and all paths that planctl showed. Precision: the share of "overlap" that is right; recall:
the share of real overlaps that is found. A further 2,000 pairs have exclusions, which only planctl knows.

Beside it: equal texts, and `fnmatch` of each text against the other's, as servers of reservations do it.
"""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Result, Target
from plans.intersect import witness
from plans.patterns import PatternSet
from tests.support.pathspec import PathspecOracle, random_glob, random_texts, small_paths

PAIRS = 2000
POOL = 600
EXACT = Target(1, least=True)

Texts = Sequence[str]
Pair = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Agreement:
    """Answers of one way beside the truth."""

    right: int
    said: int
    real: int

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.real if self.real else 1.0


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    del cache
    random_ = random.Random(20)
    pool = sorted({random_glob(random_) for _ in range(POOL)})
    plain = [(_adding(random_, pool), _adding(random_, pool)) for _ in range(PAIRS)]
    truth = truths(plain, scratch / "plain")
    ways: dict[str, Callable[[Texts, Texts], bool]] = {
        "planctl": by_planctl,
        "equal texts": by_equal_texts,
        "fnmatch against the text": by_fnmatch,
    }
    for name, way in ways.items():
        yield from rows(f"{name}, {PAIRS:,} pairs", agreement(plain, truth, way), exact=name == "planctl")
    lists = [(random_texts(random_, pool), random_texts(random_, pool)) for _ in range(PAIRS)]
    excluding = agreement(lists, truths(lists, scratch / "excluding"), by_planctl)
    yield from rows(f"planctl, {PAIRS:,} pairs with exclusions", excluding, exact=True)


def rows(name: str, found: Agreement, *, exact: bool) -> Iterator[Result]:
    target = EXACT if exact else None
    yield Result(f"overlap, precision: {name}", found.precision, target=target, unit="")
    yield Result(f"overlap, recall: {name}", found.recall, target=target, unit="")


def agreement(pairs: list[Pair], truth: list[bool], way: Callable[[Texts, Texts], bool]) -> Agreement:
    said = [way(*pair) for pair in pairs]
    right = sum(a and b for a, b in zip(said, truth, strict=True))
    return Agreement(right, sum(said), sum(truth))


def truths(pairs: list[Pair], folder: Path) -> list[bool]:
    """Whether git names a path that both lists take: a small one, or the one that planctl showed."""
    small = PathspecOracle(folder / "small", small_paths())
    shown = [witness(PatternSet.parse(a), PatternSet.parse(b)) for a, b in pairs]
    proof = PathspecOracle(folder / "shown", [found.path for found in shown if found is not None])
    return [
        bool(small.takes_all(a) & small.takes_all(b))
        or (found is not None and found.path in proof.takes_all(a) & proof.takes_all(b))
        for (a, b), found in zip(pairs, shown, strict=True)
    ]


def by_planctl(a: Texts, b: Texts) -> bool:
    return witness(PatternSet.parse(a), PatternSet.parse(b)) is not None


def by_equal_texts(a: Texts, b: Texts) -> bool:
    return not set(a).isdisjoint(b)


def by_fnmatch(a: Texts, b: Texts) -> bool:
    return any(fnmatch.fnmatchcase(x, y) or fnmatch.fnmatchcase(y, x) for x in a for y in b)


def _adding(random_: random.Random, pool: Sequence[str]) -> list[str]:
    return [random_.choice(pool) for _ in range(random_.randint(1, 3))]
