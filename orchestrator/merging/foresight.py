"""What the target will be at the turn of each entry that waits, if what is undecided passes.

The line is walked from the target's tip: each entry is merged onto the one before it. One that conflicts, or
whose check on just that tree was red, is passed over, as the queue will. The walk ends where nothing can be
told: at a hot file that a command must make anew, and behind an entry that changes what guards the target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.merging.making import GITS_FAULT, candidate_of
from orchestrator.merging.policy import changed_policy
from orchestrator.settings import hot_of
from worktrees.candidate import Candidate
from worktrees.errors import FragmentLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Outcome


FAULTS: Final = (*GITS_FAULT, OSError)
"""What keeps a tree from being told, or a check from being run, and is nobody's verdict."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An entry and the candidate that its turn would have.

    ``said`` is what is known of its checks: red (False), green (True) or nothing.
    """

    entry: Entry
    candidate: Candidate
    said: bool | None


class _UnforeseenError(Exception):
    """Only a command can say what the tree will be."""


@dataclass(frozen=True, slots=True)
class _Faulty:
    why: str


class Foresight:
    """The turns of one target; candidates are made once for each entry and commit below it."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Outcome | _Faulty | None] = {}

    def turns(
        self,
        bench: Workbench,
        tip: str,
        line: Iterable[Entry],
        said: Callable[[Entry, Candidate], bool | None],
    ) -> tuple[Turn, ...]:
        """The turns of ``line`` from ``tip`` on; ``said`` tells what is known of a candidate's checks.

        Raises :data:`FAULTS`, where a candidate that was made is gone.
        """
        turns: list[Turn] = []
        used: dict[tuple[str, str], Outcome | _Faulty | None] = {}
        old = tip
        for entry in line:
            key = (old, f"{entry.id} {entry.head} {entry.method}")
            made = used[key] = self._made[key] if key in self._made else self._make(bench, entry, old)
            if made is None:
                break
            if not isinstance(made, Candidate):
                continue
            if changed_policy(bench, old, made.commit):
                break
            turns.append(Turn(entry, made, said(entry, made)))
            if turns[-1].said is not False:
                old = made.commit
        self._made = used
        return tuple(turns)

    def _make(self, bench: Workbench, entry: Entry, old: str) -> Outcome | _Faulty | None:
        """None where it cannot be foreseen. What git cannot merge at all is held at its turn: passed over."""
        try:
            return candidate_of(bench, entry, old, replace(hot_of(bench.settings.project), rebuild=_give_up))
        except (_UnforeseenError, FragmentLostError):
            return None
        except FAULTS as error:
            return _Faulty(str(error))


def _give_up(_: str, __: frozenset[str]) -> NoReturn:
    raise _UnforeseenError
