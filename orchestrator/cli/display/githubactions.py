"""What GitHub Actions shows of an answer: annotations at the plans, and a summary of the job in Markdown.

Annotations are workflow commands, lines that begin with ``::`` (GitHub, "Workflow commands for GitHub
Actions"); the summary is appended to the file that ``GITHUB_STEP_SUMMARY`` names. Names and paths are
untrusted: line breaks become visible, and what the two formats read as their own is escaped.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.drawing.escape import one_line
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_ANNOTATIONS: Final = 10
"""GitHub shows ten errors and ten warnings of a step."""
MOST_ROWS: Final = 200
_IN_PROPERTIES: Final = str.maketrans({"%": "%25", ":": "%3A", ",": "%2C"})
_MARKS: Final = "\\`*_{}[]()#+-!|~<>"


def is_on(environ: Mapping[str, str]) -> bool:
    """Whether this is a step of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def annotation(level: str, file: str, title: str, message: str) -> str:
    """One workflow command; ``level`` is ``error``, ``warning`` or ``notice``. An empty ``file`` is none."""
    where, what = (one_line(text).translate(_IN_PROPERTIES) for text in (file, title))
    place = f"file={where}," if file else ""
    return f"::{level} {place}title={what}::{one_line(message).replace('%', '%25')}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of at most :data:`MOST_ROWS` rows; how many more there are is said below it."""
    found = list(rows)
    lines = [_row(map(_cell, head)), _row("---" for _ in head)]
    lines += [_row(map(_cell, row)) for row in found[:MOST_ROWS]]
    more = f"\n… and {len(found) - MOST_ROWS} more\n" if len(found) > MOST_ROWS else ""
    return "\n".join(lines) + "\n" + more


def add_summary(markdown: str, environ: Mapping[str, str]) -> None:
    """Append to the summary of the step, where there is one; raises OSError."""
    place = environ.get("GITHUB_STEP_SUMMARY")
    if place:
        with step("ci.summary"), Path(place).open("a", encoding="utf-8") as file:
            file.write(markdown)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return "".join(f"&#{ord(c)};" if c in _MARKS else html.escape(c) for c in one_line(text))
