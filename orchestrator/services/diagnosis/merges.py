"""Merges that were prepared for a resolver, and that nobody waits for any more: its planctl was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.mending.returning import lease_of, sweep
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.slots.prepared import journals
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.slots.prepared import Prepared
    from orchestrator.workbench import Workbench


def examine_merges(ward: Ward) -> Examined:
    """One issue a slot; none for an entry that is resolving: whoever works at the queue goes on with it."""
    found = journals(ward.repository)
    issues = [
        Issue(
            "merge-left",
            Gravity.ERROR,
            prepared.slot,
            f"a merge stands prepared on {prepared.branch}, and nobody waits for it; it is taken back",
            _take_back,
        )
        for prepared in found
        if _is_left(ward, prepared)
    ]
    return Examined("merges", f"{len(found)} stand prepared", tuple(issues))


def _is_left(ward: Ward, prepared: Prepared) -> bool:
    entry = ward.store.entry(prepared.entry)
    if entry is not None and entry.state is EntryState.RESOLVING:
        return False
    lease = ward.store.lease(lease_of(prepared.entry))
    return lease is None or ward.living(lease.session) is None


def _take_back(bench: Workbench, session: SessionHandle) -> None:
    sweep(bench, session, SlotKeeper(bench), first=False)
