"""What the target will be at the turn of each entry that waits, if what is undecided passes.

The line is walked from the target's tip: each entry is merged onto the one before it. One that conflicts, or
whose check on just that tree was red, is passed over, as the queue will. The walk ends where nothing can be
told: at a hot file that a command must make anew, behind an entry that changes what guards the target, and
at a batch that is red. A turn is that of as many entries as one check covers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.merging.making import GITS_FAULT, UnforeseenError, candidate_of, give_up
from orchestrator.merging.policy import changed_policy
from orchestrator.settings import hot_of
from worktrees.candidate import Candidate
from worktrees.errors import FragmentLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Outcome


FAULTS: Final = (*GITS_FAULT, OSError)
"""What keeps a tree from being told, or a check from being run, and is nobody's verdict."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The entries that are checked together, and the candidate of the last of them: its tree is checked.

    ``said`` is what is known of its checks: red (False), green (True) or nothing. ``token`` is for who wants
    the turn checked.
    """

    entries: tuple[Entry, ...]
    candidate: Candidate
    said: bool | None
    token: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """Who is before and behind: ``first`` entries of it are at their turn, if any, then ``size`` at each."""

    entries: tuple[Entry, ...]
    first: int = 1
    size: int = 1

    @property
    def behind(self) -> tuple[Entry, ...]:
        """Who comes after those that are at their turn."""
        return self.entries[self.first :]


@dataclass(frozen=True, slots=True)
class _Faulty:
    why: str


class Foresight:
    """The turns of one target; candidates are made once for each entry and commit below it."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Outcome | _Faulty | None] = {}
        self._used: dict[tuple[str, str], Outcome | _Faulty | None] = {}

    def turns(
        self,
        bench: Workbench,
        tip: str,
        line: Line,
        said: Callable[[tuple[Entry, ...], Candidate], bool | None],
    ) -> tuple[Turn, ...]:
        """The turns of ``line`` from ``tip`` on; ``said`` tells what is known of a candidate's checks.

        Raises :data:`FAULTS`, where a candidate that was made is gone.
        """
        turns: list[Turn] = []
        old, size, left = tip, line.first or line.size, list(line.entries)
        while left:
            unit, is_end = self._unit(bench, old, left, size)
            if unit:
                entries = tuple(entry for entry, _ in unit)
                turns.append(Turn(entries, unit[-1][1], said(entries, unit[-1][1])))
                if turns[-1].said is not False:
                    old = unit[-1][1].commit
            if is_end or (unit and turns[-1].said is False and len(unit) > 1):
                break
            size = line.size
        self.keep_used()
        return tuple(turns)

    def stacked(self, bench: Workbench, tip: str, entries: Sequence[Entry]) -> Candidate | None:
        """The candidate of the last of ``entries``, each on the one before; None: it cannot be foreseen."""
        made: Outcome | _Faulty | None = None
        for entry in entries:
            made = self._candidate(bench, entry, tip)
            if not isinstance(made, Candidate) or changed_policy(bench, tip, made.commit):
                return None
            tip = made.commit
        return made if isinstance(made, Candidate) else None

    def keep_used(self) -> None:
        """Forget what was not asked for since the last time."""
        self._made, self._used = self._used, {}

    def _candidate(self, bench: Workbench, entry: Entry, old: str) -> Outcome | _Faulty | None:
        key = (old, f"{entry.id} {entry.head} {entry.method}")
        if key not in self._used:
            self._used[key] = self._made[key] if key in self._made else self._make(bench, entry, old)
        return self._used[key]

    def _unit(
        self,
        bench: Workbench,
        old: str,
        left: list[Entry],
        size: int,
    ) -> tuple[list[tuple[Entry, Candidate]], bool]:
        """Take those of the next turn from ``left``, each with its candidate; and whether that is the end.

        It ends at ``size``, and at one that does not merge: that is dealt with at its own turn.
        """
        unit: list[tuple[Entry, Candidate]] = []
        while left and len(unit) < size:
            entry = left.pop(0)
            made = self._candidate(bench, entry, old)
            if made is None or (isinstance(made, Candidate) and changed_policy(bench, old, made.commit)):
                return unit, True
            if not isinstance(made, Candidate):
                break
            unit.append((entry, made))
            old = made.commit
        return unit, False

    def _make(self, bench: Workbench, entry: Entry, old: str) -> Outcome | _Faulty | None:
        """None where it cannot be foreseen. What git cannot merge at all is held at its turn: passed over."""
        try:
            return candidate_of(bench, entry, old, replace(hot_of(bench.settings.project), rebuild=give_up))
        except (UnforeseenError, FragmentLostError):
            return None
        except FAULTS as error:
            return _Faulty(str(error))
