"""The body of a plan: phases from headings, tasks from checkboxes, and where each checkbox is.

One pass with one expression over the lines that can matter; what stands in fenced code blocks is not read.
Only checkboxes with a number are tasks: the number is how a person, a claim and a tick name it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from plans.ids import PhaseId, TaskId
from plans.model import Task

_LINES: Final = re.compile(
    r"^(?P<indent>[ \t]*)(?:"
    r"[-*+][ \t]+\[(?P<mark>[ xX])\][ \t]+(?P<task>[^\r\n]*)"
    r"|(?P<fence>`{3,}|~{3,})(?P<info>[^\r\n]*)"
    r"|(?P<level>\#{1,6})[ \t]+(?P<heading>[^\r\n]*))",
    re.MULTILINE,
)
_NUMBER: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,4}){0,4})\.?(?::|[ \t]|$)[ \t]*")
_PHASE: Final = re.compile(
    r"Phase[ \t]+([A-Za-z0-9][A-Za-z0-9_-]{0,31}(?:\.[0-9]{1,4})*)(?:[ \t]*[:\u2013\u2014]|[ \t]+-[ \t]|$)"
)
_CLOSING: Final = re.compile(r"(?:^|[ \t])#+$")
_AFTER: Final = re.compile(r"\(after:[ \t]*([A-Za-z0-9._:, \t-]*[0-9])[ \t]*\)$")
_MAX_HEADING_INDENT: Final = 3
MAX_PARTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Heading:
    """A phase's heading: ``## Phase 2: title``; ``line`` of the file, from 1."""

    id: PhaseId
    title: str
    line: int


@dataclass(frozen=True, slots=True)
class Body:
    """What a body holds.

    ``marks`` are the offsets of all checkbox marks (the character between the brackets), ``places`` those
    of the tasks, in the order of ``tasks``; ``unnumbered`` are the lines of checkboxes that are no tasks.
    ``cut_at`` is the line from which nothing was read, since there were more than :data:`MAX_PARTS`.
    """

    title: str
    phases: tuple[Heading, ...]
    tasks: tuple[Task, ...]
    marks: tuple[int, ...]
    places: tuple[int, ...]
    unnumbered: tuple[int, ...]
    cut_at: int | None = None


class _Reading:
    def __init__(self, text: str, begin: int, line: int, indent: int) -> None:
        self.text = text
        self.indent = indent
        self.line = line
        self.counted = begin
        self.fence = ""
        self.title = ""
        self.phase: PhaseId | None = None
        self.level = 0
        self.phases: list[Heading] = []
        self.tasks: list[Task] = []
        self.marks: list[int] = []
        self.places: list[int] = []
        self.unnumbered: list[int] = []

    def take(self, found: re.Match[str]) -> None:
        self.line += self.text.count("\n", self.counted, found.start())
        self.counted = found.start()
        if found["fence"]:
            self._take_fence(found["fence"], found["info"])
        elif self.fence:
            return
        elif found["level"]:
            if len(found["indent"].expandtabs(4)) - self.indent <= _MAX_HEADING_INDENT:
                words = _CLOSING.sub("", found["heading"].strip(" \t")[:500])
                self._take_heading(len(found["level"]), words.rstrip(" \t"))
        else:
            self._take_checkbox(found)

    def _take_fence(self, fence: str, info: str) -> None:
        if not self.fence:
            # An info string with a backtick makes it inline code, not a block.
            self.fence = "" if fence[0] == "`" and "`" in info else fence
        elif fence[0] == self.fence[0] and len(fence) >= len(self.fence) and not info.strip():
            self.fence = ""

    def _take_heading(self, level: int, words: str) -> None:
        if level == 1 and not self.title:
            self.title = words
        found = _PHASE.match(words)
        if found:
            self.phase, self.level = PhaseId.parse(found[1]), level
            self.phases.append(Heading(self.phase, words[found.end() :].strip(" \t"), self.line))
        elif level <= self.level:
            self.phase, self.level = None, 0

    def _take_checkbox(self, found: re.Match[str]) -> None:
        self.marks.append(found.start("mark"))
        words = found["task"].rstrip(" \t")
        number = _NUMBER.match(words)
        if not number:
            self.unnumbered.append(self.line)
            return
        self.places.append(found.start("mark"))
        done = found["mark"] != " "
        title, after = _parted(words[number.end() :])
        task = Task(TaskId.parse(number[1]), title, done, self.phase, self.line, after)
        self.tasks.append(task)


def _parted(words: str) -> tuple[str, tuple[str, ...]]:
    """A task's title, and what its ``(after: …)`` at the end names."""
    found = _AFTER.search(words)
    if not found:
        return words, ()
    return words[: found.start()].rstrip(" \t"), tuple(
        dict.fromkeys(re.split(r"[ \t,]+", found[1].strip(", \t")))
    )


def read_body(
    text: str, begin: int = 0, end: int | None = None, *, indent: int = 0, first_line: int = 1
) -> Body:
    """Read ``text[begin:end]``, whose first line is line ``first_line`` of the file.

    Offsets in what comes back are those of ``text``; ``indent`` is by how much a YAML block is indented.
    """
    reading = _Reading(text, begin, first_line, indent)
    cut_at = None
    for found in _LINES.finditer(text, begin, len(text) if end is None else end):
        reading.take(found)
        if len(reading.marks) + len(reading.phases) > MAX_PARTS:
            cut_at = reading.line
            break
    return Body(
        reading.title,
        tuple(reading.phases),
        tuple(reading.tasks),
        tuple(reading.marks),
        tuple(reading.places),
        tuple(reading.unnumbered),
        cut_at,
    )


def with_marks(text: str, offsets: tuple[int, ...], mark: str) -> str:
    """``text`` with the single characters at ``offsets`` (ascending) replaced by ``mark``."""
    pieces = []
    at = 0
    for offset in offsets:
        pieces += [text[at:offset], mark]
        at = offset + 1
    return "".join((*pieces, text[at:]))
