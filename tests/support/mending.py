"""A conflict that a resolver is to have, and the look of a mender at it."""

from __future__ import annotations

import json

from orchestrator.mending.mender import Mender
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from tests.support.queues import Queue, configure

BOTH = "printf 'both\\n' > src/a.py"
"""A resolver's command line."""


def mend(queue: Queue) -> None:
    """One look of a mender, with the settings as they are now."""
    bench = queue.bench.refreshed()
    Mender(bench, queue.session, SlotKeeper(bench), queue.cancel.is_set).look()


def conflict(queue: Queue, resolver: str, **settings: object) -> Entry:
    """``one`` landed, ``two`` conflicts with it in src/a.py and is the resolver's."""
    configure(queue.repo, resolver=json.dumps(resolver), **settings)
    queue.repo.branch("one", {"src/a.py": "one\n"})
    queue.repo.branch("two", {"src/a.py": "two\n"})
    queue.add("one")
    two = queue.add("two")
    queue.drain()
    assert queue.entry(two).state is EntryState.RESOLVING
    return queue.entry(two)


def newest(queue: Queue, branch: str = "two") -> Entry:
    return [e for e in queue.bench.store.entries() if e.branch == branch][-1]
