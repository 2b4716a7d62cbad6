"""Whose turn it is, where the queues of several clones land on one remote.

Whoever pushes first lands, and the others plan anew. A clone whose checks take longer than the time between
the others' landings would do that for ever. So, after some landings that came too late, it *asks for a turn*:
it moves the epoch to an object that says so. That refuses every push which is on its way; whoever comes next
sees it, and waits until the epoch has moved again, which the landing does.

Promise: none. A turn only saves others' work and gives a slow one its chance; what may land is decided by the
push alone. Who asked and died is waited for as long as it said, at most :data:`MOST`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from worktrees.errors import MissingObjectError

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench

MOST: Final = 1800.0
"""Seconds that a turn lasts at most, if nothing lands."""


def is_anothers(bench: Workbench) -> bool:
    """Whether another queue has asked for its turn, and may still come."""
    found, mirror = turn_of(bench), bench.mirror
    if found is None or mirror is None or found["session"] == bench.session:
        return False
    now, boot = bench.clock.monotonic(), bench.clock.boot()
    name, epoch = f"remote.{mirror.remote}.turn", bench.references.read(mirror.epoch)
    seen = json.loads(bench.store.value(name) or "{}")
    if (seen.get("epoch"), seen.get("boot")) != (epoch, boot):
        seen = {"epoch": epoch, "boot": boot, "since": now}
        bench.store.set_value(name, json.dumps(seen))
    return bool(now - seen["since"] < min(found["turn"], MOST))


def turn_of(bench: Workbench) -> dict[str, Any] | None:
    """What the epoch says of a turn: ``session`` and ``turn``, its seconds; None for what says nothing.

    It comes from the remote: whatever is not as planctl writes it says nothing.
    """
    epoch = bench.references.read(bench.mirror.epoch) if bench.mirror else None
    if epoch is None:
        return None
    try:
        said = json.loads(bench.objects.read(epoch))
    except (MissingObjectError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("session"), str):
        return None
    seconds = said.get("turn")
    return said if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None
