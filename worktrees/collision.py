"""What of a rescue meets work that is in the worktree already, and what is done about it. Pure.

A path of the rescue meets the same path, one above it (a file in the place of its folder) or one below it
(a folder in its place).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from plans.onchange import OnChange
from worktrees.replacement import Replacement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Collision:
    """``met`` are paths of the worktree with work in them, ``meeting`` those of the rescue that they stop."""

    met: frozenset[str] = frozenset()
    meeting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to put on disk after all; the index entries to leave alone, and those to take from the rescue."""

    files: Replacement
    left: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()


def collide(rescued: Iterable[str], changed: Collection[str]) -> Collision:
    """Which paths of a rescue meet which of ``changed``."""
    below = _below(changed)
    met: set[str] = set()
    meeting: set[str] = set()
    for path in rescued:
        found = {above for above in (path, *above_of(path)) if above in changed} | below.get(path, set())
        if found:
            met |= found
            meeting.add(path)
    return Collision(frozenset(met), frozenset(meeting))


def above_of(path: str) -> tuple[str, ...]:
    """The folders above ``path``, the innermost first, without the top."""
    return tuple(map(str, PurePosixPath(path).parents[:-1]))


def _below(paths: Iterable[str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in paths:
        for above in above_of(path):
            found.setdefault(above, set()).add(path)
    return found


def decide(plan: Replacement, collision: Collision, choice: OnChange) -> Decision:
    """What is done about it; with ``abort`` nothing may have met."""
    if choice is OnChange.SKIP:
        meeting = collision.meeting
        files = tuple(file for file in plan.files if file.path not in meeting)
        kept = Replacement(tuple(path for path in plan.deleted if path not in meeting), files)
        return Decision(kept, left=meeting | collision.met)
    assert choice is OnChange.OVERWRITE or not collision.met
    written = {file.path for file in plan.files}
    blocking = collide(written & collision.meeting, collision.met).met
    absent = collision.met & collision.meeting  # the rescue has them in its index alone, or not at all
    more = sorted((blocking | absent) - written - {*plan.deleted})
    return Decision(replace(plan, deleted=(*plan.deleted, *more)), taken=collision.met | collision.meeting)
