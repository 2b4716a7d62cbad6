"""What verdicts are still worth once the target has moved or an entry is out.

A verdict speaks of a tree. The stack (a, b, c) on a target that has taken in a is the stack (b, c) on the new
one: the same tree, and the same verdict. What landed beside a stack voids it, unless the conflict test calls
it independent of all that the stack tests (invariant S13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.planning.model import Known, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Meets = Callable[[str, str], bool]


def noted(known: Mapping[Stack, Known], stack: Stack, *, passed: bool) -> dict[Stack, Known]:
    """``known`` and one more verdict."""
    return {**known, stack: known.get(stack, Known()) + Known(int(passed), int(not passed))}


def after_landing(known: Mapping[Stack, Known], landed: frozenset[str], meets: Meets) -> dict[Stack, Known]:
    """What is known of stacks on the target that has taken in ``landed``."""
    found: dict[Stack, Known] = {}
    for stack, was in known.items():
        left = moved(stack, landed, meets)
        if left is not None:
            found[left] = found.get(left, Known()) + was
    return found


def moved(stack: Stack, landed: frozenset[str], meets: Meets) -> Stack | None:
    """What ``stack`` is on the target that has taken in ``landed``; None: void, or nothing is left of it."""
    beside = landed.difference(stack.members)
    if any(meets(other, tested) for other in beside for tested in stack.tested):
        return None
    tested = tuple(i for i in stack.tested if i not in landed)
    if not tested:
        return None
    return Stack(tuple(i for i in stack.assumed if i not in landed), tested)


def after_ejection(known: Mapping[Stack, Known], ejected: str) -> dict[Stack, Known]:
    """Without what holds ``ejected``: that will not be."""
    return {stack: was for stack, was in known.items() if ejected not in stack.members}
