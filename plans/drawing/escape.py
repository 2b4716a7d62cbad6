"""Text that came from outside, made harmless for the place it is put in.

Titles, witness paths and problem messages carry whatever a plan file or a file name held: escape sequences
that repaint a terminal, line breaks that fake a line, marks that turn the reading direction around
(CVE-2021-42574), surrogates of names that are not UTF-8. All of them become visible.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Cc control, Cf format (bidi marks, zero width), Cs surrogates, Co private use, Cn unassigned (U+FFFF is
# not allowed in XML), Zl and Zp line breaks.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST: Final = 400


def visible(text: str, keep: str = "") -> str:
    r"""``text`` with what cannot be seen written as ``\x1b`` or ``\u202e``, except characters in ``keep``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _HIDDEN else _named(c) for c in text)


def one_line(text: str, longest: int = _LONGEST) -> str:
    """``text`` as one visible line of at most ``longest`` characters, cut with an ellipsis."""
    line = visible(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _named(character: str) -> str:
    number = ord(character)
    if number < 0x100:  # noqa: PLR2004 - two hex digits are enough up to here
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004 - as above


def xml(text: str) -> str:
    """``text`` for the content or an attribute of XML, in one line."""
    line = one_line(text)
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        line = line.replace(plain, entity)
    return line


def mermaid(text: str) -> str:
    """``text`` as a quoted Mermaid label; what could end the quotes or be read as markup is an entity."""
    line = one_line(text)
    return '"' + "".join(c if c.isalnum() or c in " ._-/*:,+=" else f"#{ord(c)};" for c in line) + '"'


def dot(text: str) -> str:
    """``text`` as a quoted string of the DOT language."""
    return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
