"""Several entries at once: checked by one check, landed by one transaction, or given back to the queue.

A batch is never blamed. What becomes of it:

| what is found | its entries |
| --- | --- |
| fewer than two of them go together | the first is dealt with by itself |
| the check is green | landed, all or none (S5) |
| the check is red, or gave no verdict | queued: parts of it are checked next |
| the target itself is red | queued; the queue pauses |
| the post-check refuses, git fails, or a user's work is in the way | queued, to be dealt with one by one |
| the target moved meanwhile, or a person dropped one | queued |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StaleRecordError
from orchestrator.merging.checkroom import CancelledCheckError
from orchestrator.merging.evidence import batch_red, proof, target_red
from orchestrator.merging.following import in_the_way, look_ahead
from orchestrator.merging.forming import Batch, form, refused
from orchestrator.merging.judge import Judgement, Outcome, judge
from orchestrator.merging.landing import ALONE, Landing, apart, land
from orchestrator.merging.making import GITS_FAULT
from orchestrator.merging.pausing import turn_red
from orchestrator.merging.resolving import keep, remove_unreachable
from orchestrator.states import EntryState
from orchestrator.submitting.key import batch_reference, candidate_reference
from worktrees.errors import CheckoutInTheWayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.merging.checking import Checker
    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry

_OURS = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})


@dataclass(frozen=True, slots=True)
class Ended:
    """The entries of a batch as they are after it; ``is_red``: it has to be looked at in parts."""

    entries: tuple[Entry, ...]
    is_red: bool = False


class Batcher:
    """Processes batches within one tenure; ``checks_begin`` hears of those whose checks are next."""

    def __init__(
        self, tenure: Tenure, checker: Checker, checks_begin: Callable[[tuple[Entry, ...]], None]
    ) -> None:
        self._tenure = tenure
        self._bench = tenure.bench
        self._checker = checker
        self._checks_begin = checks_begin

    def process(self, unit: Sequence[Entry], old: str) -> Ended | None:
        """Bring the first of ``unit`` as far as they go together onto ``old``; None: they do not.

        Raises what :func:`land` raises, but for StaleRecordError: who was dropped is left out next time.
        """
        try:
            batch = form(self._bench, unit, old)
        except GITS_FAULT:
            return None  # the first one's own turn tells
        if batch is None:
            return None
        try:
            found = self._checked(self._begun(batch))
        except CheckoutInTheWayError as error:
            why = in_the_way(error, old)
            return Ended(self._given_back(batch, lambda entry: apart(self._tenure, entry, why)))
        except GITS_FAULT as error:
            fault = {"code": ALONE, "detail": str(error)}
            return Ended(self._given_back(batch, lambda _: fault))
        except (StaleRecordError, CancelledCheckError):
            return Ended(self._given_back(batch, lambda _: {"code": "interrupted"}))
        return found if isinstance(found, Ended) else self._landed(batch, found)

    def _landed(self, batch: Batch, landing: Landing) -> Ended:
        """What fails here is for the next tenure to find out: references may have moved."""
        try:
            return Ended(land(self._tenure, landing))
        except StaleRecordError:
            return Ended(self._given_back(batch, lambda _: {"code": "interrupted"}))

    def _begun(self, batch: Batch) -> Batch:
        """Referred to before anything relies on it (S15), and every entry says that it is being merged."""
        for entry in batch.entries:
            remove_unreachable(self._tenure, entry)
        named = {candidate_reference(m.entry.id): m.commit for m in batch.members}
        named[batch_reference(batch.entries[0].id)] = batch.candidate.commit
        keep(self._tenure, named)
        with self._tenure.writing(durable=False):
            begun = [
                self._tenure.settle(entry, EntryState.MERGING, attempts=entry.attempts + 1)
                for entry in batch.entries
            ]
        return batch.of(begun)

    def _checked(self, batch: Batch) -> Landing | Ended:
        project, old = self._bench.settings.project, batch.old
        look_ahead(self._tenure, old, batch.candidate.commit)
        with self._tenure.writing(durable=False):
            checking = [
                self._tenure.settle(
                    m.entry, EntryState.CHECKING, candidate=m.commit, tree=batch.candidate.tree
                )
                for m in batch.members
            ]
        batch = batch.of(checking)
        self._checks_begin(batch.entries)
        judgement = judge(self._checker, project, batch.entries, batch.candidate, old)
        if not judgement.is_passed:
            return self._not_passed(batch, judgement)
        refusal = refused(self._bench, batch, judgement.trees)
        if refusal:
            why = {"code": ALONE, "detail": refusal.detail}
            return Ended(self._given_back(batch, lambda _: why))
        ids, unchecked = [entry.id for entry in batch.entries], judgement.outcome is Outcome.UNCHECKED
        shown = {**proof(batch.candidate, judgement), "batch": ids, "commit": batch.candidate.commit}
        return Landing(batch.members, old, batch.candidate.commit, unchecked, proof=shown)

    def _not_passed(self, batch: Batch, judgement: Judgement) -> Ended:
        if judgement.outcome is not Outcome.TARGET_RED:
            why = batch_red(judgement, len(batch.entries))
            return Ended(self._given_back(batch, lambda _: why), is_red=True)
        assert judgement.verdict is not None
        with self._tenure.writing():
            target = self._bench.target
            turn_red(self._bench.store, self._bench.clock, target, batch.old, judgement.verdict.log)
            red = target_red(judgement, batch.old)
            return Ended(self._given_back(batch, lambda _: red))

    def _given_back(self, batch: Batch, why: Callable[[Entry], dict[str, Any]]) -> tuple[Entry, ...]:
        """All of them queued again, but whom a person has moved on."""
        with self._tenure.writing():
            newest = [self._bench.store.entry(entry.id) for entry in batch.entries]
            return tuple(
                self._tenure.settle(entry, EntryState.QUEUED, reason={**entry.reason, **why(entry)})
                for entry in newest
                if entry is not None and entry.state in _OURS
            )
