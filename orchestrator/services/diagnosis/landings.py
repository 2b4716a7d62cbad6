"""Entries of the queue beside the references and commits that they speak of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.states import OPEN_ENTRIES, EntryState
from orchestrator.submitting.key import BY_KEY, LANDED, landed_reference
from worktrees.references import Create

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


def examine_landings(ward: Ward) -> Examined:
    """Of the local target; what a remote's queue has landed is mirrored, and judged there."""
    entries = ward.store.entries(target=ward.target)
    proofs = ward.references.list(f"{LANDED}/")
    issues = [*_without_commit(ward, entries), *_without_reference(ward, entries, proofs)]
    issues += _without_entry(ward.store.entries(), proofs)
    return Examined("landings", f"{len(proofs)} references prove a landing", tuple(issues))


def _without_commit(ward: Ward, entries: Sequence[Entry]) -> Iterator[Issue]:
    for entry in entries:
        if entry.state in OPEN_ENTRIES and not ward.objects.has_commit(entry.head):
            detail = f"{entry.head[:12]} of {entry.branch} is nowhere"
            yield Issue("entry-without-commit", Gravity.WARNING, entry.id, detail)


def _without_reference(ward: Ward, entries: Sequence[Entry], proofs: Mapping[str, str]) -> Iterator[Issue]:
    known = {name.rpartition("/")[2] for name in proofs}
    for entry in entries:
        if entry.state is not EntryState.LANDED or entry.id in known or not entry.landed_commit:
            continue
        if ward.project.remote is None and _contains(ward, entry.landed_commit):
            detail = f"{entry.plan or entry.branch} landed as {entry.landed_commit[:12]}"
            cure = partial(_prove, key=entry.id)
            yield Issue("landing-without-reference", Gravity.WARNING, entry.id, detail, cure)


def _contains(ward: Ward, commit: str) -> bool:
    """Whether the target contains it: what was reset away is no landing any more."""
    tip = ward.references.read(ward.target)
    return tip is not None and ward.objects.has_commit(commit) and ward.objects.is_ancestor(commit, tip)


def _prove(bench: Workbench, _session: SessionHandle, key: str) -> None:
    entry = bench.store.entry(key)
    if entry is None or entry.state is not EntryState.LANDED or entry.landed_commit is None:
        return
    name = landed_reference(bench.landed, entry.plan or entry.branch, key)
    commit = entry.landed_commit
    if bench.references.read(name) is None and bench.objects.is_ancestor(commit, bench.target_tip()):
        change = Create(name, commit)
        bench.references.transact([change], message="planctl: doctor", step="doctor.landed")


def _without_entry(entries: Sequence[Entry], proofs: Mapping[str, str]) -> Iterator[Issue]:
    keys = {entry.id for entry in entries}
    for name, commit in proofs.items():
        folder, _, key = name.rpartition("/")
        if key not in keys and not folder.endswith(f"/{BY_KEY}"):
            yield Issue("landing-without-entry", Gravity.HINT, name, f"it landed as {commit[:12]}")
