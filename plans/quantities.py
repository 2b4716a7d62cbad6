"""Values with a unit: durations (``1h30m``) and sizes (``20GB``)."""

from __future__ import annotations

import math
import re
from typing import Final

from plans.codes import Code
from plans.errors import BadValueError
from plans.kinds import Word
from plans.nodes import shown

YEAR: Final = 366 * 24 * 3600
_FOREVER: Final = "forever"
_SECONDS: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_PARTS: Final = r"(?=[0-9])(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?"
_DURATION: Final = re.compile(_PARTS)
_PLAIN: Final = re.compile(_SECONDS)
_SIZE: Final = re.compile(r"([0-9]{1,15}) ?(B|[kKMGT]i?B?)?")
_POWERS: Final = {"": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def duration(*, least: float = 0) -> Word[float]:
    """Seconds, from ``2h``, ``90s``, ``1h30m``, ``1d12h`` or a plain number; ``least`` at least."""

    def parse(value: str) -> float:
        seconds = parse_duration(value)
        if not least <= seconds <= YEAR:
            raise BadValueError(Code.BAD_DURATION, f"{shown(value)} is not from {least:g} seconds to a year")
        return seconds

    plain = {"type": "number", "minimum": least, "maximum": YEAR}
    words = {"type": "string", "pattern": f"^(?:{_SECONDS}|{_PARTS})$"}
    return Word(parse, {"anyOf": [plain, words]})


def keeping(*, least: float) -> Word[float]:
    """Seconds as :func:`duration` has them, of ``least`` at least; infinity for ``forever``."""
    timed = duration(least=least)

    def parse(value: str) -> float:
        return math.inf if value == _FOREVER else timed.parse(value)

    return Word(parse, {"anyOf": [{"const": _FOREVER}, *timed.schema()["anyOf"]]})


def parse_duration(value: str) -> float:
    """Seconds; raises :class:`BadValueError`. ``2:30`` is refused: minutes or hours, nobody can tell."""
    if _PLAIN.fullmatch(value):
        return float(value)
    found = _DURATION.fullmatch(value)
    if not found:
        hint = "write 2h, 90s, 1h30m or a number of seconds"
        raise BadValueError(Code.BAD_DURATION, f"{shown(value)} is not a duration", hint)
    return float(sum(int(n or 0) * size for n, (_, size) in zip(found.groups(), _UNITS, strict=True)))


def size() -> Word[int]:
    """Bytes, from ``500MB``, ``20GiB`` or a plain number; K, M, G and T are powers of 1024 either way."""

    def parse(value: str) -> int:
        found = _SIZE.fullmatch(value)
        if not found:
            raise BadValueError(Code.BAD_SIZE, f"{shown(value)} is not a size", "write 500MB or 20GB")
        factor: int = 1024 ** _POWERS[(found[2] or "")[:1].upper()]
        return int(found[1]) * factor

    plain = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
    return Word(parse, {"anyOf": [plain, {"type": "string", "pattern": f"^(?:{_SIZE.pattern})$"}]})
