"""The merge queue: landings cut short, entries that a dead worker left half way, candidates of nobody."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.merging.recovery import recover
from orchestrator.merging.takeover import take_over
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import OPEN_ENTRIES, EntryState, IntentState
from orchestrator.submitting.key import CANDIDATES, HEADS, entry_of_candidate
from worktrees.archive import is_parked_or_landed, park
from worktrees.leftfollow import left_behind
from worktrees.references import Delete

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

_HALF_WAY: Final = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})
_LABEL: Final = "candidates"
"""The plan name under which commits of candidates without an entry are parked."""


def examine_queue(ward: Ward) -> Examined:
    """Finished or undone under a new epoch, as the next worker would do first."""
    entries = ward.store.entries(target=ward.target)
    lease = ward.store.lease(f"queue:{ward.target}")
    worker = ward.living(lease.session) if lease else None
    issues: list[Issue] = []
    if worker is None or worker.id in ward.own:
        open_ = [i for i in ward.store.intents({IntentState.OPEN}) if i.target == ward.target]
        issues += [
            Issue(
                "intent-open",
                Gravity.ERROR,
                i.id,
                f"a landing of {', '.join(i.members)} was cut short",
                _recover,
            )
            for i in open_
        ]
        issues += [
            Issue("entry-half-way", Gravity.ERROR, e.id, f"{e.branch} was left {e.state}", _recover)
            for e in entries
            if e.state in _HALF_WAY
        ]
        issues += [
            Issue("checkout-left", Gravity.ERROR, str(top), "a landing did not finish there", _recover)
            for top in left_behind(ward.git, ward.target)
        ]
        ended = {e.id for e in entries if e.state not in OPEN_ENTRIES}
        issues += [
            Issue("candidate-left", Gravity.ERROR, name, "its entry of the queue has ended", _recover)
            for name in ward.references.list(f"{CANDIDATES}/")
            if entry_of_candidate(name) in ended
        ]
    issues += _lonely_candidates(ward)
    waiting = sum(e.state not in (EntryState.LANDED, EntryState.DROPPED) for e in entries)
    return Examined("queue", f"{waiting} entries have not landed", tuple(issues))


def _lonely_candidates(ward: Ward) -> list[Issue]:
    """A head is pinned before its entry is stored: of somebody who lives, the entry may be about to be."""
    if not ward.is_alone:
        return []
    kinds = {
        CANDIDATES: "no entry of the queue has this candidate",
        HEADS: "no entry of the queue has this head",
    }
    return [
        Issue(
            "candidate-without-entry",
            Gravity.ERROR,
            n,
            detail,
            ward.when_alone(partial(_forget, name=n, commit=c)),
        )
        for folder, detail in kinds.items()
        for n, c in ward.references.list(f"{folder}/").items()
        if ward.store.entry(entry_of_candidate(n)) is None
    ]


def _recover(bench: Workbench, session: SessionHandle) -> None:
    """The first steps of a queue worker; raises BusyError when one has begun meanwhile."""
    lease = session.hold(f"queue:{bench.target}", "doctor")
    try:
        recover(take_over(bench, lease), SlotKeeper(bench))
    finally:
        session.release(lease)


def _forget(bench: Workbench, _session: SessionHandle, name: str, commit: str) -> None:
    """Remove the reference; a commit that has not landed is parked first."""
    if bench.references.read(name) != commit or bench.store.entry(entry_of_candidate(name)):
        return
    if not is_parked_or_landed(bench.git, commit, [bench.target]):
        park(bench.git, _LABEL, [commit])
    bench.references.transact([Delete(name, commit)], message="planctl: doctor", step="doctor.candidate")
