"""What the checks have decided already, whichever policy asked for them.

A stack with nothing assumed lands whole when its check passed and no undecided entry before any of it meets
it. An entry that no undecided one meets is out when its own check on the target was red ``tries`` times
(S12: its base is the target, which is green, and was tried again with it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.planning.model import Stack, Wanted

if TYPE_CHECKING:
    from orchestrator.planning.model import Snapshot


def decided(view: Snapshot) -> Wanted | None:
    """The next landing or ejection, the largest landing first; None when the checks have to say more."""
    green = [stack for stack, was in view.known.items() if was.passed and _may_land(view, stack)]
    if green:
        return Wanted(land=max(green, key=lambda stack: len(stack.tested)))
    for number, item in enumerate(view.items):
        if not view.meets[number]:
            was = view.known.get(Stack((), (item.id,)))
            if was is not None and was.failed >= view.tries:
                return Wanted(eject=item.id)
    return None


def _may_land(view: Snapshot, stack: Stack) -> bool:
    if stack.assumed or any(name not in view.place for name in stack.tested):
        return False
    inside = view.mask(stack.tested)
    return all(not view.meets[view.place[name]] & ~inside for name in stack.tested)
