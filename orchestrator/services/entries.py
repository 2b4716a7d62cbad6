"""Which entry of the queue a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import NothingToDoError
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


def newest_of(store: Store, key: str) -> Entry | None:
    """The entry of that id, or the one that took its place once its conflict was resolved."""
    entry = store.entry(key)
    while entry is not None and entry.state is EntryState.DROPPED and entry.reason.get("code") == "resolved":
        entry = store.entry(str(entry.reason.get("entry")))
    return entry


def require_entry(bench: Workbench, name: str) -> Entry:
    """The newest entry of that id (or its beginning), plan or branch; raises NothingToDoError."""
    entries = bench.store.entries(target=bench.target)
    found = [
        e
        for e in entries
        if name in (e.id, e.plan, e.branch) or (len(name) >= 6 and e.id.startswith(name))  # noqa: PLR2004 - less is no beginning of an id
    ]
    if not found:
        raise NothingToDoError(f"there is no plan with work, no branch and no entry {name!r}")
    return found[-1]
