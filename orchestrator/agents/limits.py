"""The last lines of a command, read for a limit that it met: what line says so, and until when.

The lines are bounded in number and length before they are compared (``plans.phrases``), so a command may
print what it likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from orchestrator.agents.moments import moment
from plans.phrases import even

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from plans.phrases import Phrase

MOST_LINES: Final = 100
_SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=\S*")


@dataclass(frozen=True, slots=True)
class Limit:
    """A command met a limit: the line that says so, and the moment at which it said to try again."""

    line: str
    until: datetime | None


def limit_in(lines: Sequence[str], phrases: Iterable[Phrase], said: datetime) -> Limit | None:
    """The newest of ``lines`` (oldest first) that says until when, else the newest that says it at all.

    ``said`` is when they were printed, as far as it is known.
    """
    known, without = tuple(phrases), None
    for line in reversed(lines[-MOST_LINES:]):
        found = _limit(even(line), known, said)
        if found is not None and found.until is not None:
            return found
        without = without or found
    return without


def _limit(line: str, phrases: Sequence[Phrase], said: datetime) -> Limit | None:
    known = False
    for phrase in phrases:
        found = phrase.find(line)
        until = moment(found.when, said) if found and found.when is not None else None
        if until is not None:
            return Limit(line, until)
        known = known or (found is not None and found.when is None)
    return Limit(line, None) if known else None


def program_of(command: str, known: Collection[str]) -> str | None:
    """The agent whose program a command line begins with, variables set before it aside."""
    for word in command.split():
        if not _SETTING.fullmatch(word):
            name = PurePath(word.strip("'\"")).name
            return name if name in known else None
    return None
