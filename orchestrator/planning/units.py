"""One line of entries in queue order: batches, one on top of the other, and bisection where one is red.

Serial is a batch of one and a window of one; a batch is one check of several; prefix speculation is a
window of several batches, each checked on top of those before it, which are assumed to pass. All that is
decided here comes from what is known of stacks on the target as it is:

1. what the checks have decided lands or is out, see :mod:`.decided`
2. a red stack of several is split: the check of a prefix of it passes, and lands, or is the smaller red one.
   Never are two halves checked on the same base and both landed: each prefix contains those before it.
3. a red stack of one is tried once more
4. where nothing is red: units of the batch size, as many as slots and window allow

A red stack whose first entries have landed is known red still: it is the same tree.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from orchestrator.planning.cost import retry_first
from orchestrator.planning.decided import decided
from orchestrator.planning.model import Stack, Wanted

if TYPE_CHECKING:
    from orchestrator.planning.model import Snapshot


def plan_line(view: Snapshot, size: int, width: int) -> Wanted:
    """What is wanted with units of ``size`` entries, ``width`` of them under way."""
    wanted = decided(view)
    if wanted is not None:
        return wanted
    line = tuple(item.id for item in view.items)
    red = _smallest_red(view, line)
    return Wanted(checks=_units(view, line, size, width) if red is None else _split(view, red))


def _smallest_red(view: Snapshot, line: tuple[str, ...]) -> tuple[str, ...] | None:
    red = [
        stack.members
        for stack, was in view.known.items()
        if was.failed and stack.members == line[: len(stack.members)]
    ]
    return min(red, key=len, default=None)


def _split(view: Snapshot, red: tuple[str, ...]) -> tuple[Stack, ...]:
    """Prefixes of ``red``: those at work, then the middles of the widest gaps, one for each slot."""
    if len(red) == 1 or _may_be_an_accident(view, red):
        return (Stack((), red),)
    at_work = [s for s in view.running if s.members == red[: len(s.members)] and len(s.members) < len(red)]
    lengths = {len(stack.members) for stack in at_work}
    new: list[int] = []
    while len(at_work) + len(new) < view.slots and len(lengths) < len(red) - 1:
        new.append(_middle_of_widest(sorted({0, *lengths, len(red)})))
        lengths.add(new[-1])
    return (*at_work, *(Stack((), red[:length]) for length in new))


def _may_be_an_accident(view: Snapshot, red: tuple[str, ...]) -> bool:
    """Whether trying it again first is the cheaper way; never once a larger one was red as well."""
    known = view.known.items()
    reds = sum(was.failed for stack, was in known if stack.members[: len(red)] == red)
    return reds < view.tries and retry_first(len(red), view.rates.failure, view.rates.flake)


def _middle_of_widest(points: list[int]) -> int:
    width, low = max((high - low, -low) for low, high in pairwise(points))
    return -low + width // 2


def _units(view: Snapshot, line: tuple[str, ...], size: int, width: int) -> tuple[Stack, ...]:
    """Those at work first, as they were put together, then new ones on top; the composition stays.

    One that has passed may stand on entries that nothing speaks of any more: the check of these was stopped
    when one before them was red. They are a unit of their own then, up to where it stands.
    """
    passed = [stack for stack, was in view.known.items() if was.passed]
    whole = [s for s in (*view.running, *passed) if s.members == line[: len(s.members)]]
    ends = {len(stack.assumed): len(stack.members) for stack in sorted(whole, key=lambda s: len(s.members))}
    found = [stack for stack in view.running if stack in whole]
    reached = units = 0
    while units < width and reached < len(line):
        end = ends.get(reached)
        if end is None:
            if len(found) >= view.slots:
                break
            end = min(reached + size, *(start for start in ends if start > reached), len(line))
            found.append(Stack(line[:reached], line[reached:end]))
        reached = end
        units += 1
    return tuple(found)
