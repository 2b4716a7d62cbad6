"""Snapshots of uncommitted work: list them, look at one, bring one back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.services.pointers import slot_at
from orchestrator.services.restores import require_taken_back
from orchestrator.states import PLACED_ATTEMPTS, SlotState
from worktrees.rescue import PREFIX, RescueInfo, list_rescues
from worktrees.restore import Foreseen, RestoreReport, foresee, restore
from worktrees.restoreerrors import UnknownRescueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.workbench import Workbench
    from worktrees.git import Git
    from worktrees.halfway import TakenBack
    from worktrees.restorelook import Wish

_SHORTEST: Final = 6
"""Characters of a stamp or commit; with fewer, it would be chance which one is meant."""


def rescues_of(git: Git, label: str | None) -> tuple[RescueInfo, ...]:
    """The snapshots of a plan (or slot), or all, each label's newest last."""
    return tuple(r for r in list_rescues(git) if label in (None, r.label))


def require_rescue(git: Git, name: str) -> RescueInfo:
    """The snapshot of that reference, with or without ``refs/planctl/rescue/``; of a plan, its newest.

    Its stamp alone, or the commit, or the beginning of either from 6 characters on, will do. Raises
    UnknownRescueError.
    """
    known = list_rescues(git)
    short = name.removeprefix(f"{PREFIX}/")
    exact = [r for r in known if short == f"{r.label}/{r.stamp}"] or [r for r in known if short == r.label]
    if exact:
        return exact[-1]
    begun = [
        r
        for r in known
        if len(short) >= _SHORTEST and (r.stamp.startswith(short) or r.commit.startswith(short))
    ]
    if len(begun) != 1:
        reason = "several begin like that" if begun else "there is none of that name"
        raise UnknownRescueError(name, reason)
    return begun[0]


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """A restore, and what was taken back before it."""

    report: RestoreReport
    taken_back: tuple[TakenBack, ...]


def bring_back(
    bench: Workbench, name: str, into: Path, wish: Wish, tell: Callable[[str], None] = lambda _line: None
) -> BroughtBack:
    """Bring a snapshot back into the worktree ``into``; one that was cut short there is taken back first.

    Raises RestoreRefusedError (nothing has changed), HalfRestoredError, UnknownRescueError,
    ChangedMeanwhileError (taken back), and UsageError for a slot of the pool that is free, and so anybody's
    next, or has a command at work.
    """
    found = require_rescue(bench.git, name)
    _owner(bench, into)
    taken_back = require_taken_back(bench, into, tell)
    report = restore(
        bench.git, found.reference, into, wish, stamp=bench.stamp, owner=lambda: _owner(bench, into)
    )
    return BroughtBack(report, taken_back)


def would_bring_back(bench: Workbench, name: str, into: Path, wish: Wish) -> Foreseen:
    """What :func:`bring_back` would do; nothing is changed. Raises as that does."""
    found = require_rescue(bench.git, name)
    _owner(bench, into)
    return foresee(bench.git, found.reference, into, wish)


def _owner(bench: Workbench, into: Path) -> str:
    """The attempt that the pool holds the worktree for; empty where it is no slot."""
    slot = slot_at(bench.store, into)
    if slot is None:
        return ""
    if slot.state is not SlotState.LEASED:
        raise UsageError(f"{slot.name} is {slot.state}; `planctl worktree add PLAN` gives you one")
    holder = bench.store.attempt(slot.attempt or "")
    if holder is not None and holder.state in PLACED_ATTEMPTS:
        raise UsageError(f"{holder.plan} is at work in {slot.name}")
    return slot.attempt or ""
