"""Who waits for a lease minds the dead: they are in nobody's way, neither as holders nor in the line."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.leases.acquiring import Waiter
from orchestrator.sessions.cleanup import bury, drop_abandoned
from orchestrator.sessions.identity import here, started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.clock import Clock
    from orchestrator.leases.acquiring import Manner
    from orchestrator.store.leaserecords import LeaseWait
    from orchestrator.store.protocol import Store


def minding_the_dead(manner: Manner, store: Store, clock: Clock) -> Manner:
    """``manner`` for a wait of this process, whose own death others can prove."""
    me = Waiter(os.getpid(), started(os.getpid()) or 0.0, here())
    return replace(manner, waiter=me, make_way=lambda keys, waits: make_way(store, clock, keys, waits))


def make_way(store: Store, clock: Clock, keys: Sequence[str], waits: Sequence[LeaseWait]) -> bool:
    """End those of the sessions and those waits whose process is proven dead; whether there were any."""
    dropped = drop_abandoned(store, clock, waits)
    return bury(store, clock, keys) or dropped
