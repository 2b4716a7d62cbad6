"""Files written in the main checkout while plans ran: what points to whom, and what may be said of it.

The checkout is the user's, who works in it, too. So a write is never claimed to be a plan's: it is said which
plans were at work, and what was seen. A plan is named when the best that was seen points to it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Trace(StrEnum):
    """What was seen of a plan, the best first."""

    OPEN = "open"
    """A process of its command had the file open to write."""
    CONTENT = "content"
    """What is in the file is what the plan has in its worktree and did not start with."""
    NAMED = "named"
    """The output of its command names the file, in the main checkout."""
    STOOD = "stood"
    """A process of its command had its current folder in the main checkout."""
    DECLARED = "declared"
    """It declares to write a file of that name: in its worktree, that is."""


_TELLING: Final = (Trace.OPEN, Trace.CONTENT, Trace.NAMED, Trace.STOOD)
_HOLDING: Final = frozenset({Trace.OPEN, Trace.CONTENT, Trace.NAMED})
"""About the very file; only these keep work from landing."""


@dataclass(frozen=True, slots=True)
class Clue:
    """What was seen of ``plan``; ``detail`` says which process."""

    plan: str
    trace: Trace
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Leak:
    """``path`` was written between the look before ``seen_at`` and that one, ``candidates`` at work then."""

    path: str
    seen_at: str
    candidates: tuple[str, ...]
    clues: tuple[Clue, ...] = ()

    @property
    def best(self) -> Clue | None:
        """The clue that points to one plan alone: the first kind of which there is any decides."""
        for trace in _TELLING:
            found = {clue.plan: clue for clue in self.clues if clue.trace is trace}
            if found:
                return next(iter(found.values())) if len(found) == 1 else None
        return None

    @property
    def plan(self) -> str:
        """The plan that it points to, or empty."""
        return self.best.plan if self.best else ""

    @property
    def holds(self) -> bool:
        """Whether the plan's work would wait for it where leaks hold."""
        return self.best is not None and self.best.trace in _HOLDING


def why(leak: Leak) -> str:
    """What is known of a leak, in words for people, without its path."""
    when = f"written while {' and '.join(leak.candidates)} ran"
    best = leak.best
    if best is not None:
        return f"{when}; {_WORDS[best.trace].format(plan=best.plan, detail=best.detail)}"
    also = [clue.plan for clue in leak.clues if clue.trace is Trace.DECLARED]
    return f"{when}; {' and '.join(also)} declared it" if also else when


_WORDS: Final[Mapping[Trace, str]] = {
    Trace.OPEN: "a process of {plan} had it open to write ({detail})",
    Trace.CONTENT: "its content is that of {plan}'s worktree",
    Trace.NAMED: "the output of {plan} names it",
    Trace.STOOD: "a process of {plan} stood there ({detail})",
}


@dataclass(frozen=True, slots=True)
class News:
    """``rows`` are the leaks now; ``told`` those that are new or point to a plan now; ``cleared`` went."""

    rows: Mapping[str, Leak]
    told: tuple[Leak, ...] = ()
    cleared: tuple[str, ...] = ()


def news(before: Mapping[str, Leak], found: Iterable[Leak], dirty: Iterable[str]) -> News:
    """What is new: ``found`` are leaks of this look, ``dirty`` all paths that are uncommitted at all.

    Of a file that is written again it is told only when a plan is pointed to that was not before.
    """
    still = set(dirty)
    rows = {path: leak for path, leak in before.items() if path in still}
    told = []
    for leak in found:
        known = rows.get(leak.path)
        if known is None or (leak.plan and leak.plan != known.plan):
            told.append(leak)
        if known is None or leak.plan or not known.plan:
            rows[leak.path] = leak
    return News(rows, tuple(told), tuple(sorted(before.keys() - rows.keys())))
