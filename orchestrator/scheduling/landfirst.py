"""Of two branches in conflict, which should land first: decided purely."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FURTHER: Final = {AttemptState.QUEUED: 0, AttemptState.FINISHED: 1}


@dataclass(frozen=True, slots=True)
class First:
    """``plan`` should land before the other of the pair, and ``why`` says so to people."""

    plan: str
    why: str


def first_of_each(
    conflicts: Mapping[tuple[str, str], Sequence[str]],
    states: Mapping[str, AttemptState],
    stacked: frozenset[tuple[str, str]],
) -> dict[tuple[str, str], First]:
    """Who should land first in each pair of ``conflicts``, which maps pairs of plans to their paths.

    ``stacked`` holds (upper, lower): the work of the one stands on a commit of the other.
    """
    degree = Counter(plan for pair in conflicts for plan in pair)
    weight = Counter(dict.fromkeys(degree, 0))
    for pair, paths in conflicts.items():
        for plan in pair:
            weight[plan] += len(paths)
    return {pair: _stacked(pair, stacked) or _lightest(pair, degree, weight, states) for pair in conflicts}


def _stacked(pair: tuple[str, str], stacked: frozenset[tuple[str, str]]) -> First | None:
    for upper, lower in (pair, pair[::-1]):
        if (upper, lower) in stacked and (lower, upper) not in stacked:
            return First(lower, f"{upper} is stacked on it")
    return None


def _lightest(
    pair: tuple[str, str],
    degree: Mapping[str, int],
    weight: Mapping[str, int],
    states: Mapping[str, AttemptState],
) -> First:
    first, second = sorted(
        pair, key=lambda plan: (degree[plan], weight[plan], _FURTHER.get(states[plan], 2), plan)
    )
    if degree[first] != degree[second]:
        return First(
            first,
            f"its landing leaves {_count(degree[first], 'conflict')}, that of {second} {degree[second]}",
        )
    if weight[first] != weight[second]:
        files = _count(weight[first], "file")
        return First(first, f"its landing leaves conflicts in {files}, that of {second} in {weight[second]}")
    if _FURTHER.get(states[first], 2) != _FURTHER.get(states[second], 2):
        return First(first, f"it is {states[first]}, {second} is {states[second]}")
    return First(first, "both leave the same conflicts; by name")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
