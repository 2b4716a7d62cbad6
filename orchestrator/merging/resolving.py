"""An outcome that is not known is resolved by looking at the references, and nothing else.

Git's files backend renames one reference after the other, the target last: a landing was made if its landed
reference names the commit *and* the target contains it. A landed reference that the target does not contain
is an unfinished landing, or one that somebody has reset away; it is removed by compare-and-swap.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestrator.states import OPEN_ENTRIES, IntentState
from orchestrator.submitting.heads import KEPT, keep_head
from orchestrator.submitting.key import (
    CANDIDATES,
    HEADS,
    ahead_reference,
    entry_of_candidate,
    landed_reference,
)
from orchestrator.submitting.landed import landed_by
from worktrees.errors import GitFailedError, MissingObjectError
from worktrees.references import Create, Delete, Update

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry, Intent
    from orchestrator.workbench import Workbench


def has_landed(bench: Workbench, entries: Iterable[Entry], intent: Intent) -> bool:
    """Whether the landing that ``intent`` names was made; ``entries`` are its members."""
    found = {e.id: landed_by(bench, e.plan or e.branch, e.id) for e in entries}
    if any(found[key] != intent.members[key] for key in found):
        return False
    if not bench.objects.has_commit(intent.new):
        return False  # of work that was there already: the target was reset since, and what it was pruned
    return bench.objects.is_ancestor(intent.new, bench.target_tip())


def undo(tenure: Tenure, entries: Iterable[Entry], intent: Intent) -> None:
    """Take back what there is of a landing that was not made."""
    for entry in entries:
        remove_unreachable(tenure, entry)
    with tenure.writing():
        tenure.bench.store.move_intent(intent, IntentState.SUPERSEDED)


def remove_unreachable(tenure: Tenure, entry: Entry) -> None:
    """Remove the entry's landed reference if the target does not contain what it names."""
    if tenure.bench.mirror is not None:
        return  # what is left on a remote is taken over by the next push of the same key
    name = _name(tenure.bench, entry)
    left = tenure.bench.references.read(name)
    if left is not None and not tenure.bench.objects.is_ancestor(left, tenure.bench.target_tip()):
        tenure.transact([Delete(name, left)], message="planctl: undo", step="landing.undo")


def keep(tenure: Tenure, candidates: Mapping[str, str]) -> None:
    """Refer to candidates by these names before anything relies on them (S15); raises as Tenure.transact.

    MissingObjectError for one that a ``git gc`` has pruned.
    """
    references = tenure.bench.references
    was = {name: references.read(name) for name in candidates}
    changes = [
        Update(name, commit, old) if (old := was[name]) else Create(name, commit)
        for name, commit in candidates.items()
    ]
    try:
        tenure.transact(changes, message="planctl: candidate", step="candidate.keep")
    except GitFailedError as error:
        for commit in candidates.values():
            if not tenure.bench.objects.has_commit(commit):
                raise MissingObjectError(commit) from error  # pruned between its making and now
        raise


def keep_ahead(bench: Workbench, key: str, commit: str) -> None:
    """Refer to what is checked ahead of the turn of ``key``, until that has ended: its verdict is used later.

    Nothing is decided by it, so no fence is asked. Raises GitFailedError.
    """
    name = ahead_reference(key, commit)
    if bench.references.read(name) is None:
        bench.references.transact([Create(name, commit)], message="planctl: ahead", step="candidate.ahead")


def forget_candidates(tenure: Tenure) -> None:
    """Remove the references of candidates and heads whose entries have ended, all at once.

    That they cannot be removed now (somebody is packing references) harms nothing: the next worker does it.
    """
    bench = tenure.bench
    ended = [
        Delete(name, commit)
        for folder, states in ((CANDIDATES, OPEN_ENTRIES), (HEADS, KEPT))
        for name, commit in bench.references.list(f"{folder}/").items()
        if (entry := bench.store.entry(entry_of_candidate(name))) and entry.state not in states
    ]
    if ended:
        with contextlib.suppress(GitFailedError):
            tenure.transact(ended, message="planctl: ended", step="candidate.forget")
            for change in ended:  # handed in again meanwhile, it found its head kept
                entry = bench.store.entry(entry_of_candidate(change.name))
                if entry is not None and entry.state in KEPT:
                    keep_head(bench, entry.id, entry.head)


def _name(bench: Workbench, entry: Entry) -> str:
    return landed_reference(bench.landed, entry.plan or entry.branch, entry.id)
