"""What a YAML text becomes: nodes that know their place, and faults; and how to show outside text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from plans.codes import Code

INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]|\r(?!\n)"
)
"""What must not stand in a header, written or escaped: control characters, other line ends, and the marks
that turn the direction of writing (they let a command read differently from what it is)."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. ``plain`` is unquoted, ``literal`` a ``|`` block, ``broken`` already a fault."""

    text: str
    line: int
    column: int
    plain: bool = True
    literal: bool = False
    broken: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands here: no text, or YAML's words for nothing."""
        return not self.text.strip() or (self.plain and self.text in ("~", "null", "Null", "NULL"))


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of nodes."""

    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; every key once, in the order of the file."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int


Node: TypeAlias = Scalar | Listing | Table


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the YAML itself; ``line`` and ``column`` count from 1."""

    code: Code
    message: str
    line: int
    column: int
    hint: str = ""


def cut(text: str, size: int = 80) -> str:
    """``text`` on one line, invisible characters as their numbers, cut to ``size``."""
    words = " ".join(text[: 4 * size].split())
    one_line = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in words)
    return one_line if len(one_line) <= size else one_line[: size - 1] + "…"


def shown(text: str, size: int = 60) -> str:
    """``text`` for a message: quoted, on one line, without control characters, cut to ``size``."""
    return f"'{cut(text, size)}'"
