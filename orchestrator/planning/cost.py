"""How many entries one check is to cover: the expected number of checks for each landed entry.

The model follows what :mod:`.units` does, retries included. A check of k entries is red when one of them
fails by itself (each with probability p), or by accident (f). A red one is split at its middle until one
entry is left, which is tried once more. Group testing: R. Dorfman, "The Detection of Defective Members of
Large Populations", Ann. Math. Statist. 14 (1943); a batch that is bisected, and lands by prefixes, is the
binary splitting of F. K. Hwang, "A method for detecting all defective members" (1972).
"""

from __future__ import annotations

from functools import lru_cache
from math import log2
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.planning.model import Rates

LARGEST: Final = 32
"""A batch is never larger: what main shows of it is one commit (invariant S1), which a person has to read."""
ALONE: Final = 0.3
"""From this share of failing entries on each is checked alone (P. Ungar 1960: none is better above .38)."""


def batch_size(rates: Rates) -> int:
    """The number of entries for which :func:`checks_for_each` is smallest."""
    if rates.failure >= ALONE:
        return 1
    return _best(round(rates.failure, 3), round(rates.flake, 3))


@lru_cache(maxsize=256)
def _best(failure: float, flake: float) -> int:
    return min(range(1, LARGEST + 1), key=lambda size: (_checks_for_each(size, failure, flake), size))


def checks_for_each(size: int, rates: Rates) -> float:
    """Expected checks for each entry that is dealt with, in batches of ``size``."""
    return _checks_for_each(size, rates.failure, rates.flake)


def _checks_for_each(size: int, failure: float, flake: float) -> float:
    good = (1 - failure) ** size
    search = log2(size) + 1
    again = size > 1 and retry_first(size, failure, flake)
    by_fault = (1 - good) * (search + again)
    by_accident = good * flake * (1 if again else search)
    dealt = size * good + (1 - good) * _place_of_culprit(size, failure)
    return (1 + by_fault + by_accident) / dealt


def retry_first(size: int, failure: float, flake: float) -> bool:
    """Whether a red batch is tried again before it is split: where an accident is likely enough."""
    if size == 1:
        return True
    red_by_accident = (1 - failure) ** size * flake
    red_by_fault = 1 - (1 - failure) ** size
    if red_by_accident == 0:
        return False
    return red_by_accident / (red_by_accident + red_by_fault) * (log2(size) + 1) > 1


def _place_of_culprit(size: int, failure: float) -> float:
    """Expected place (from 1) of the first failing entry where one fails: all up to it are dealt with."""
    good = 1 - failure
    total = 1 - good**size
    if total == 0:
        return float(size)
    return sum(k * good ** (k - 1) * failure for k in range(1, size + 1)) / total
