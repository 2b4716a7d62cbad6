"""Phrases: what a line has to say to be known, in words that no line can make slow to compare.

A phrase is the words of a line in order, whatever their case; ``*`` stands for anything in between and
``{when}`` for a time right after the words before it: ``limit reached*resets {when}``. There is nothing to
backtrack over: each piece is looked for behind the one before it, once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from plans.codes import Code
from plans.errors import BadValueError

MAX_PHRASE: Final = 200
MAX_LINE: Final = 2_000
WHEN: Final = "{when}"
_LEAST: Final = 6
"""Characters that a phrase has at least beside its stars: ``*`` alone would know every line."""
_PARTS: Final = re.compile(r"(\*|\{when\})")
_SPACE: Final = re.compile(r"\s+")
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
"""ASCII alone: every character keeps its place, so that what is found tells where it stood."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line that a phrase knows; ``when`` is the text where the phrase has its time, if it has one."""

    when: str | None = None


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase, parsed: words to find one behind the other; None is the place of the time."""

    text: str
    parts: tuple[str | None, ...]

    @classmethod
    def parse(cls, text: str) -> Phrase:
        """Raises BadValueError for what would know any line, and for a second time."""
        words = _PARTS.split(even(text).strip())
        parts = tuple(
            None if part == WHEN else part.translate(_LOWER) for part in words if part not in ("", "*")
        )
        if len(text) > MAX_PHRASE:
            raise BadValueError(
                Code.TEXT_TOO_LONG, f"{len(text)} characters, where {MAX_PHRASE} are possible"
            )
        if sum(len(part.strip()) for part in parts if part) < _LEAST:
            hint = "write what the line says; * stands for anything, {when} for the time"
            raise BadValueError(Code.BAD_PHRASE, f"a phrase has {_LEAST} characters at least", hint)
        if parts.count(None) > 1 or parts[0] is None:
            raise BadValueError(Code.BAD_PHRASE, "one {when} is possible, behind the words before it")
        return cls(text, parts)

    def find(self, line: str) -> Said | None:
        """What ``line``, made :func:`even`, says by this phrase; None when it does not."""
        lowered, position, when = line.translate(_LOWER), 0, None
        for part in self.parts:
            if part is None:
                when = line[position:]
                continue
            position = lowered.find(part, position)
            if position < 0:
                return None
            position += len(part)
        return Said(when)


def even(line: str) -> str:
    """``line`` without the backslashes of JSON within JSON, with single blanks, and of bounded length."""
    return _SPACE.sub(" ", line[:MAX_LINE].replace("\\", ""))
