"""How many units prefix speculation may have under way: more with each success, half after a failure.

As a sender of TCP does it (D. Chiu, R. Jain 1989: additive increase, multiplicative decrease), and Zuul with
its changes: where things fail often, what stands on others is mostly checked in vain.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 20
"""Where nothing has been seen yet; that of Zuul."""
FLOOR: Final = 3
"""Never fewer, or a bad morning would make the queue serial."""
CEILING: Final = 1000
"""Never more: it is only a bound, but one that has to come down again by halves."""


def after(window: int, *, landed: bool) -> int:
    """The window after one more unit has landed, or an entry was ejected."""
    return min(CEILING, window + 1) if landed else max(FLOOR, window // 2)
