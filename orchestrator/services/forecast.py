"""Would the branches at work merge with each other as they are now? Nothing of theirs is touched."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import NothingToDoError, UsageError
from orchestrator.scheduling.landfirst import First, first_of_each
from orchestrator.settings import hot_files_at
from orchestrator.states import WORKTREE_ATTEMPTS, AttemptState, SlotState
from worktrees.livetree import LiveTree, committed, live_tree
from worktrees.mergebatch import Comparison, Outcome, compare_pairs
from worktrees.objects import Objects
from worktrees.quarantine import quarantine
from worktrees.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt
    from worktrees.git import Git
    from worktrees.quarantine import Quarantine

AT_WORK = frozenset({AttemptState.PREPARING, *WORKTREE_ATTEMPTS, AttemptState.FINISHED, AttemptState.QUEUED})


@dataclass(frozen=True, slots=True)
class Branch:
    """The work of one plan: what would be committed of it now, or why that cannot be told."""

    attempt: Attempt
    target: str
    found: LiveTree | Unread

    @property
    def why(self) -> str:
        """Why nothing can be told; empty where it can."""
        return self.found.why if isinstance(self.found, Unread) else ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two plans, ``a < b``, whether they would merge, and of a conflict who should land first."""

    a: str
    b: str
    comparison: Comparison
    first: First | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Branches and pairs by plan."""

    branches: tuple[Branch, ...]
    pairs: tuple[Pair, ...]


def forecast(store: Store, git: Git, asked: Sequence[str]) -> Forecast:
    """Compare all branches at work, or those of the plans ``asked`` alone, which must be at work."""
    attempts = [a for a in store.latest_attempts() if a.state in AT_WORK and (not asked or a.plan in asked)]
    missing = [plan for plan in asked if plan not in {a.plan for a in attempts}]
    if missing:
        raise NothingToDoError(f"{missing[0]} is not at work")
    attempts.sort(key=lambda a: a.plan)
    targets = {run.id: run.target for run in store.runs()}
    objects = Objects(git.repository)
    with quarantine(git) as room:
        found = [_found(room, objects, store, attempt) for attempt in attempts]
        branches = tuple(Branch(a, targets[a.run], f) for a, f in zip(attempts, found, strict=True))
        compared = _compare(room, objects, branches)
    return Forecast(branches, _with_first(objects, branches, compared))


def forecast_pair(store: Store, git: Git, pair: tuple[str, str]) -> Forecast:
    """Two plans alone; UsageError for one plan twice."""
    if pair[0] == pair[1]:
        raise UsageError(f"{pair[0]} and {pair[1]} are the same plan")
    return forecast(store, git, pair)


def _found(room: Quarantine, objects: Objects, store: Store, attempt: Attempt) -> LiveTree | Unread:
    if attempt.state is AttemptState.PREPARING:
        return Unread("its worktree is being made")
    if attempt.state in WORKTREE_ATTEMPTS:
        slot = store.slot(attempt.slot) if attempt.slot else None
        if slot is None or slot.attempt != attempt.id or slot.state is not SlotState.LEASED:
            return Unread("it holds no worktree")
        return live_tree(room, objects, Path(slot.path), f"index-{attempt.id}")
    entry = store.entry(attempt.entry) if attempt.entry else None
    head = entry.head if entry else attempt.head
    if head is None or not objects.has_commit(head):
        return Unread("its commit is gone")
    return committed(objects, head)


def _compare(
    room: Quarantine, objects: Objects, branches: Sequence[Branch]
) -> dict[tuple[str, str], Comparison]:
    """Every pair; of those with the same target, one batch."""
    pairs = list(combinations(branches, 2))
    found = {_key(pair): _not_comparable(*pair) for pair in pairs}
    for target in sorted({branch.target for branch in branches}):
        wanted = [pair for pair in pairs if pair[0].target == target and found[_key(pair)] is None]
        tip = objects.reference(target)
        if tip is None:
            gone = Comparison(Outcome.NOT_COMPARED, why=f"their target {_short(target)} is gone")
            found |= {_key(pair): gone for pair in wanted}
        elif wanted:
            trees = [(_live(one), _live(other)) for one, other in wanted]
            hot = hot_files_at(room.git.repository, objects, tip)
            answers = compare_pairs(room, objects, trees, tip, hot)
            found |= dict(zip(map(_key, wanted), answers, strict=True))
    return {key: comparison for key, comparison in found.items() if comparison is not None}


def _not_comparable(one: Branch, other: Branch) -> Comparison | None:
    why = [f"{b.attempt.plan}: {b.why}" for b in (one, other) if b.why]
    if not why and one.target != other.target:
        why = [f"they land on {_short(one.target)} and {_short(other.target)}"]
    return Comparison(Outcome.NOT_COMPARED, why="; ".join(why)) if why else None


def _key(pair: tuple[Branch, Branch]) -> tuple[str, str]:
    return pair[0].attempt.plan, pair[1].attempt.plan


def _live(branch: Branch) -> LiveTree:
    assert isinstance(branch.found, LiveTree)
    return branch.found


def _short(reference: str) -> str:
    return reference.removeprefix("refs/heads/")


def _with_first(
    objects: Objects, branches: Sequence[Branch], compared: dict[tuple[str, str], Comparison]
) -> tuple[Pair, ...]:
    conflicts = {key: c.paths for key, c in compared.items() if c.outcome is Outcome.CONFLICT}
    named = {branch.attempt.plan: branch for branch in branches}
    stacked = frozenset(
        (upper, lower)
        for pair in conflicts
        for upper, lower in (pair, pair[::-1])
        if _stands_on(objects, named[upper], named[lower])
    )
    first = first_of_each(conflicts, {plan: b.attempt.state for plan, b in named.items()}, stacked)
    return tuple(Pair(*key, comparison, first.get(key)) for key, comparison in compared.items())


def _stands_on(objects: Objects, upper: Branch, lower: Branch) -> bool:
    """Whether a commit that ``upper`` was stacked on is the own work of ``lower``."""
    tip = objects.reference(lower.target)
    if not upper.attempt.stacked_on or tip is None:
        return False
    return not set(objects.commits(_live(lower).head, tip)).isdisjoint(upper.attempt.stacked_on)


def forecast_data(found: Forecast) -> dict[str, object]:
    """The forecast under the names of the contract."""
    return {
        "branches": [_branch_data(branch) for branch in found.branches],
        "pairs": [
            {
                "a": pair.a,
                "b": pair.b,
                "outcome": str(pair.comparison.outcome),
                "paths": list(pair.comparison.paths),
                "why": pair.comparison.why,
                "first": pair.first.plan if pair.first else None,
                "first_why": pair.first.why if pair.first else "",
            }
            for pair in found.pairs
        ],
    }


def _branch_data(branch: Branch) -> dict[str, object]:
    live = branch.found if isinstance(branch.found, LiveTree) else None
    return {
        "plan": branch.attempt.plan,
        "branch": branch.attempt.branch,
        "state": str(branch.attempt.state),
        "target": branch.target,
        "head": live.head if live else None,
        "uncommitted": live.has_edits if live else None,
        "why": branch.why,
    }
