"""Output of an unknown program, made harmless for a person's terminal while it comes in, chunk by chunk.

Colours stay where colours are wanted; every other escape sequence is left out, and control characters that
are left become visible, as everywhere (``plans.drawing.escape``). A carriage return begins a new line, so
that nothing is written over.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from plans.drawing.escape import visible

# ECMA-48, as in running/log.py: CSI … final byte; OSC, DCS, PM, APC, SOS … BEL or ST; two-byte escapes.
_WHOLE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-OQ-WYZ\\`-~])"
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_BEGUN: Final = re.compile(r"(?:\r|\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b]*\x1b?|[ -/]*))\Z")
_LONGEST: Final = 4096
"""Characters that are held back for the end of a sequence; one that is longer is shown as it is written."""


class Harmless:
    """Keeps what is needed between two chunks: half a character, half a sequence."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """What may be shown of ``data`` and what was held back; with ``last`` nothing is held back."""
        text = self._held + self._decoder.decode(data, last)
        begun = None if last else _BEGUN.search(text)
        cut = begun.start() if begun and len(text) - begun.start() <= _LONGEST else len(text)
        self._held = text[cut:]
        return self._shown(text[:cut].replace("\r\n", "\n").replace("\r", "\n"))

    def _shown(self, text: str) -> str:
        parts, end = [], 0
        for sequence in _WHOLE.finditer(text):
            parts.append(visible(text[end : sequence.start()], keep="\n\t"))
            if self._colour and _COLOUR.fullmatch(sequence[0]):
                parts.append(sequence[0])
            end = sequence.end()
        return "".join((*parts, visible(text[end:], keep="\n\t")))
