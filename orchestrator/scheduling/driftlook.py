"""One look at what a plan at work has changed so far, committed and not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.scheduling.drift import Means, find_drift
from orchestrator.scheduling.driftnews import row_of
from orchestrator.states import ACTIVE_ATTEMPTS, WORKTREE_ATTEMPTS, AttemptState
from plans.errors import PlanctlError
from plans.ids import PlanId
from plans.project import Enforce
from worktrees.candidate import Work
from worktrees.changes import own_changes
from worktrees.leftovers import head_of
from worktrees.uncommitted import uncommitted
from worktrees.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.scheduling.drifttable import Drifted
    from orchestrator.scheduling.observe import Observer
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan
    from plans.patterns import PatternSet

DECLARED = ACTIVE_ATTEMPTS | {AttemptState.PENDING, AttemptState.WAITING}
"""Plans that may be touched: those at work, and those that wait."""


class Looker:
    """Looks at the attempts of one run, in one thread; what is committed is compared once for each head."""

    def __init__(self, bench: Workbench, observer: Observer) -> None:
        self._bench = bench
        self._observer = observer
        self._committed: dict[str, tuple[frozenset[str], set[str]]] = {}
        self._judged: dict[str, tuple[tuple[str, ...], dict[PlanId, PatternSet], Drifted]] = {}

    def look(self, attempt: Attempt, plan: Plan) -> Drifted | Unread:
        """What ``attempt`` changed beside its manifest; a file edited back but not committed still counts."""
        try:
            return self._look(attempt, plan)
        except (PlanctlError, OSError) as error:
            return Unread(f"what it changed cannot be read: {error}")

    def _look(self, attempt: Attempt, plan: Plan) -> Drifted | Unread:
        edited: tuple[str, ...] | Unread = ()
        if attempt.state in WORKTREE_ATTEMPTS:
            assert attempt.worktree is not None
            edited = uncommitted(self._bench.git, Path(attempt.worktree))
        if isinstance(edited, Unread):
            return edited
        changed = tuple(sorted({*self._committed_by(attempt), *edited}))
        others = self._observer.declared_by_others(PlanId(attempt.plan), DECLARED)
        known = self._judged.get(attempt.id)
        if known is not None and known[:2] == (changed, others):
            return known[2]
        settings = self._bench.settings
        means = Means(settings.project.hot_files, settings.folding)
        row = row_of(find_drift(plan, changed, others, Enforce.OFF, means))
        self._judged[attempt.id] = (changed, others, row)
        return row

    def keep(self, attempts: Collection[str]) -> None:
        """Forget all attempts but these."""
        for key in self._judged.keys() - set(attempts):
            del self._judged[key]
            self._committed.pop(key, None)

    def _committed_by(self, attempt: Attempt) -> tuple[str, ...]:
        """Of the branch, and of a HEAD that has left it: both are kept when the command ends."""
        if attempt.base is None:
            return ()
        heads = self._heads(attempt)
        known = self._committed.get(attempt.id)
        if known is None or known[0] != heads:
            works = (Work(head, attempt.base, bool(attempt.stacked_on)) for head in heads)
            paths = {path for work in works for path in own_changes(self._bench.objects, work)}
            known = self._committed[attempt.id] = (heads, paths)
        return tuple(known[1])

    def _heads(self, attempt: Attempt) -> frozenset[str]:
        if attempt.head is not None:
            return frozenset({attempt.head})
        heads = {self._bench.references.read(f"refs/heads/{attempt.branch}")}
        if attempt.state in WORKTREE_ATTEMPTS:
            heads.add(head_of(self._bench.git, Path(attempt.worktree or "")))
        return frozenset(head for head in heads if head is not None)
