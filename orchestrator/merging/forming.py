"""A batch is put together: each entry merged onto the one before, and one commit over all that is checked.

::

    main ── old ─────────────── batch        first-parent history: the batch's tree is what is checked (S1)
               └─ a' ── b' ── c' ─┘          a': a merged onto old, b': b onto a', c': c onto b'

The landed references of a, b and c name a', b' and c', so that each can be told and reverted by itself. Where
the target has no check there is nothing that only the last of them has passed: the chain itself lands, and
the history is the one that landings one by one would make.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.merging.landing import Member
from orchestrator.merging.making import GITS_FAULT, UnforeseenError, candidate_of, give_up, work_of
from orchestrator.merging.message import batch_message
from orchestrator.merging.policy import changed_policy
from orchestrator.merging.postcheck import batch_refusal, refusal
from orchestrator.settings import hot_of
from orchestrator.submitting.landed import landed_commits
from worktrees.candidate import Candidate
from worktrees.errors import FragmentLostError
from worktrees.shallow import lacks_history
from worktrees.writer import Draft, write_commit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.merging.postcheck import Refusal
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Batch:
    """``steps`` are the chain, in the order of ``entries``; ``over`` the commit over them, if any."""

    entries: tuple[Entry, ...]
    steps: tuple[Candidate, ...]
    old: str
    over: str | None

    @property
    def candidate(self) -> Candidate:
        """What lands."""
        last = self.steps[-1]
        if self.over is None:
            return Candidate(last.commit, last.tree, tuple(step.commit for step in self.steps))
        return Candidate(self.over, last.tree, (self.over,))

    @property
    def members(self) -> tuple[Member, ...]:
        """Whose it is."""
        return tuple(Member(e, s.commit) for e, s in zip(self.entries, self.steps, strict=True))

    def of(self, entries: Sequence[Entry]) -> Batch:
        """The same with newer records of its entries."""
        return replace(self, entries=tuple(entries))


def form(bench: Workbench, unit: Sequence[Entry], old: str) -> Batch | None:
    """The batch of the first of ``unit``, to one that only its own turn can deal with; None: fewer than two.

    That is one which conflicts with those before, is there already, changes what guards the target, is
    refused by the post-check, needs a command for a hot file, lacks history, or alone has a check.
    Raises :data:`GITS_FAULT` where git fails on the batch as a whole.
    """
    with bench.objects.flushed_together():
        steps = _chain(bench, unit, old)
        if len(steps) < 2:  # noqa: PLR2004 - one is no batch
            return None
        entries, last, over = tuple(unit[: len(steps)]), steps[-1], None
        if bench.settings.project.check:
            draft = Draft(last.tree, (old, last.commit), batch_message(entries))
            over = write_commit(bench.git, bench.objects, draft)
    return Batch(entries, steps, old, over)


def _chain(bench: Workbench, unit: Sequence[Entry], old: str) -> tuple[Candidate, ...]:
    steps: list[Candidate] = []
    for entry in unit:
        step = _step(bench, entry, steps[-1].commit if steps else old, old)
        if step is None:
            break
        steps.append(step)
    return tuple(steps)


def _step(bench: Workbench, entry: Entry, below: str, old: str) -> Candidate | None:
    own_check = entry.check and not bench.settings.project.check
    known = landed_commits(bench, entry.plan or entry.branch, old, key=entry.id)
    if own_check or known or lacks_history(bench.git, old, entry.head):
        return None
    try:
        made = candidate_of(bench, entry, below, replace(hot_of(bench.settings.project), rebuild=give_up))
    except (UnforeseenError, FragmentLostError, *GITS_FAULT):
        return None  # its own turn tells
    if not isinstance(made, Candidate) or changed_policy(bench, below, made.commit):
        return None
    return None if refusal(bench, below, made, work_of(entry), {}) else made


def refused(bench: Workbench, batch: Batch, trees: Mapping[str, str]) -> Refusal | None:
    """The post-check of a batch and of each member; ``trees`` as for :func:`refusal`."""
    below = batch.old
    for entry, step in zip(batch.entries, batch.steps, strict=True):
        found = refusal(bench, below, step, work_of(entry), {})
        if found:
            return found
        below = step.commit
    return batch_refusal(bench, batch.old, below, batch.candidate, trees) if batch.over else None
