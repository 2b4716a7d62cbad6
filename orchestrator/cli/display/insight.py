"""Which plans have room on a screen. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.cli.display.attemptstates import ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.states import AttemptState


def in_sight(states: Mapping[str, AttemptState], room: int) -> tuple[tuple[str, ...], str]:
    """The plans to show in ``room`` lines, by name, and a line about the others, empty if there are none.

    Where not all have room, who is at work is shown before who waits, and that before what is done; the line
    about the others takes one of the lines.
    """
    if len(states) <= max(room, 1):
        return tuple(sorted(states)), ""
    place = {state: number for number, state in enumerate(ORDER)}
    ranked = sorted(states, key=lambda plan: (place[states[plan]], plan))
    shown, others = ranked[: max(room - 1, 1)], ranked[max(room - 1, 1) :]
    counts = Counter(states[plan] for plan in others)
    said = ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])
    return tuple(sorted(shown)), f"and {len(others)} more: {said}"
