"""The bytes of a plan file taken apart: text, header, body. Nothing is typed here, nothing is lost.

Two forms: Markdown whose first line is ``---``, with the header up to the next ``---`` line; and YAML as a
whole, with the body under ``body:``. A byte order mark and CRLF line ends are taken, and kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.codes import Code
from plans.nodes import INVISIBLE, Fault

if TYPE_CHECKING:
    from pathlib import PurePath

SETTINGS_FILE: Final = "planctl.yaml"
MAX_FILE: Final = 1024 * 1024
MAX_HEADER: Final = 64 * 1024
MARKDOWN: Final = frozenset({".md", ".markdown"})
YAML: Final = frozenset({".yaml", ".yml"})
BOM: Final = "\ufeff"
_OPENING: Final = re.compile(r"---[ \t]*\r?$", re.MULTILINE)
_FENCE: Final = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_MAX_CHARACTER_FAULTS: Final = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """A text and where its parts are, as offsets in characters.

    ``header`` is the header's text and ``header_line`` the number of its first line. ``body_at`` is where
    the body begins in ``text`` and None where the file is YAML as a whole.
    """

    text: str
    header: str
    header_line: int
    body_at: int | None


def is_plan_file(path: PurePath, source: bytes) -> bool:
    """Whether this is a plan: YAML by its name, or Markdown that begins with a header.

    Markdown in UTF-16 or UTF-32 that begins with one counts too, so that it is reported, not overlooked.
    """
    suffix = path.suffix.lower()
    if path.name == SETTINGS_FILE:
        return False
    if suffix in YAML:
        return True
    if suffix not in MARKDOWN:
        return False
    start = source[:64].replace(b"\0", b"") if source[:4].count(b"\0") else source[:64]
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        start = start.removeprefix(mark)
    return bool(re.match(rb"---[ \t]*(?:\r?\n|\r?$)", start))


def decode(source: bytes) -> tuple[str | None, tuple[Fault, ...]]:
    """The text, or None with the fault that hinders; characters that must not be there are faults too."""
    if len(source) > MAX_FILE:
        message = f"more than {MAX_FILE} bytes"
        return None, (Fault(Code.FILE_TOO_LARGE, message, 1, 1),)
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8")
        message = f"byte 0x{source[error.start]:02x} is not UTF-8"
        return None, (
            Fault(Code.NOT_UTF8, message, *place_in(before, len(before)), "save the file as UTF-8"),
        )
    return text, _character_faults(text)


def _character_faults(text: str) -> tuple[Fault, ...]:
    faults = []
    for found in INVISIBLE.finditer(text):
        message = f"the invisible character U+{ord(found.group()):04X} is not allowed"
        faults.append(Fault(Code.CONTROL_CHARACTER, message, *place_in(text, found.start()), "remove it"))
        if len(faults) == _MAX_CHARACTER_FAULTS:
            break
    return tuple(faults)


def place_in(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset in characters."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1 - (start == 0 and text.startswith(BOM))


def split(text: str, *, markdown: bool) -> tuple[Parts | None, Fault | None]:
    """Take header and body apart; the fault says why that is not possible."""
    if not markdown:
        header = text.removeprefix(BOM)
        return _bounded(Parts(text, header, 1, None))
    start = len(BOM) if text.startswith(BOM) else 0
    opening = _OPENING.match(text, start)
    if not opening:
        hint = "a plan begins with a line '---', 'key: value' lines and a line '---'"
        return None, Fault(Code.NO_HEADER, "the file does not begin with '---'", 1, 1, hint)
    begin = min(opening.end() + 1, len(text))
    closing = _FENCE.search(text, begin)
    if not closing:
        hint = "end the header with a line '---'"
        return None, Fault(Code.HEADER_NOT_CLOSED, "the header never ends", 1, 1, hint)
    body_at = min(closing.end() + 1, len(text))
    return _bounded(Parts(text, text[begin : closing.start()], 2, body_at))


def _bounded(parts: Parts) -> tuple[Parts | None, Fault | None]:
    size = len(parts.header.encode("utf-8", "surrogatepass"))
    if size <= MAX_HEADER:
        return parts, None
    hint = "" if parts.body_at is not None else "a long body belongs into a Markdown plan file"
    message = f"{size} bytes; a header has {MAX_HEADER} at most"
    return None, Fault(Code.HEADER_TOO_LARGE, message, parts.header_line, 1, hint)


def looks_like_markdown(text: str) -> bool:
    """Whether a plan file's text is Markdown: ``---`` on its first line and again on a later one.

    A plan in YAML may begin with ``---`` too, but has no second one.
    """
    parts, fault = split(text, markdown=True)
    return parts is not None or (fault is not None and fault.code is Code.HEADER_TOO_LARGE)
