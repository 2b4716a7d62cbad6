"""Which plans have room on a screen. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.display.attemptstates import ORDER
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Mapping


_DULL: Final = (AttemptState.WAITING, AttemptState.PENDING, AttemptState.LANDED)
_PLACE: Final = {state: n for n, state in enumerate([*(s for s in ORDER if s not in _DULL), *_DULL])}


def in_sight(states: Mapping[str, AttemptState], room: int) -> tuple[tuple[str, ...], str]:
    """The plans to show in ``room`` lines, by name, and a line about the others, empty if there are none.

    Where not all have room, who is at work is shown first, then what needs somebody, then who waits, and last
    what has landed; the line about the others takes one of the lines.
    """
    if len(states) <= max(room, 1):
        return tuple(sorted(states)), ""
    ranked = sorted(states, key=lambda plan: (_PLACE[states[plan]], plan))
    shown, others = ranked[: max(room - 1, 1)], ranked[max(room - 1, 1) :]
    counts = Counter(states[plan] for plan in others)
    said = ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])
    return tuple(sorted(shown)), f"and {len(others)} more: {said}"
