"""Names that are one file where the file system says so: without case, and in one Unicode form.

Where ``core.ignoreCase`` is on, ``SRC/a.py`` and ``src/A.py`` are one file; where ``core.precomposeUnicode``
is, ``é`` in one character and in two are. Both sides of a comparison are folded, paths as well as patterns,
and compared as ever. Case is that of ASCII letters, as in git, which folds no others; the form is NFC.

A set of bytes (``[A-F0-9]``) takes a letter if it takes one of its cases. git's ``:(icase)`` does so for
ranges and classes, and forgets it for a capital that stands alone (``[A]``).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from plans.patterns import Pattern, PatternSet
from plans.wildmatch import ANY, NAME, bracket, byte_set

if TYPE_CHECKING:
    from plans.model import Manifest, Plan

_UPPER: Final = byte_set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TO_LOWER: Final = 32
"""How far a small letter of ASCII stands behind its capital."""


@dataclass(frozen=True, slots=True)
class Folding:
    """Which differences between names do not count. Without any, it is false, and changes nothing."""

    ignore_case: bool = False
    precompose: bool = False

    def __bool__(self) -> bool:
        return self.ignore_case or self.precompose

    def path(self, path: str) -> str:
        """The path that stands for all that are the same file."""
        if self.precompose:
            path = unicodedata.normalize("NFC", path)
        return _lower(path) if self.ignore_case else path

    def patterns(self, patterns: PatternSet) -> PatternSet:
        """The set that has a folded path exactly if ``patterns`` has one of those it stands for."""
        return (
            PatternSet(tuple(self._pattern(pattern) for pattern in patterns.patterns)) if self else patterns
        )

    def plan(self, plan: Plan) -> Plan:
        """The plan and its phases with folded manifests; the number and order of patterns stay."""
        phases = tuple(replace(phase, manifest=self._folded(phase.manifest)) for phase in plan.phases)
        return replace(plan, manifest=self._folded(plan.manifest), phases=phases) if self else plan

    def manifest(self, manifest: Manifest) -> Manifest:
        """Both of its lists, folded."""
        if not self:
            return manifest
        return replace(manifest, write=self.patterns(manifest.write), read=self.patterns(manifest.read))

    def _folded(self, manifest: Manifest | None) -> Manifest | None:
        return None if manifest is None else self.manifest(manifest)

    def _pattern(self, pattern: Pattern) -> Pattern:
        text = unicodedata.normalize("NFC", pattern.glob) if self.precompose else pattern.glob
        if self.ignore_case:
            text = _lower_pattern(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        return Pattern(f"!{text}" if pattern.negated else text, pattern.negated)


EXACT: Final = Folding()
"""Every difference counts, as in git's own index."""


def _lower(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def _lower_pattern(raw: bytes) -> bytes:
    """Capitals become small letters; sets that would mean another thing thereby are spelt out."""
    result, place = b"", 0
    while (start := raw.find(b"[", place)) >= 0:
        members, end = bracket(raw, start + 1)
        if not members & NAME:
            return result + _lower_literal(raw[place:])
        result += raw[place:start].lower() + _lower_set(raw[start:end], members)
        place = end
    return result + raw[place:].lower()


def _lower_literal(raw: bytes) -> bytes:
    """What begins with a set that takes nothing (``[a``, ``[a-Z]``) may not become one that does."""
    small = raw.lower()
    return raw if bracket(small, small.index(b"[") + 1)[0] & NAME else small


def _lower_set(text: bytes, members: int) -> bytes:
    wanted = _without_capitals(members, negated=text[1:2] in {b"!", b"^"})
    small = text.lower()
    found, end = bracket(small, 1)
    return small if end == len(small) and found & ~_UPPER & NAME == wanted else _spelt_out(wanted)


def _without_capitals(members: int, *, negated: bool) -> int:
    """The members of a set when case does not count, its capitals left out: no folded path has one.

    What ``!`` takes away is folded before it is taken away.
    """
    if negated:
        taken_away = (ANY & ~members & _UPPER) << _TO_LOWER
        return members & ~taken_away & ~_UPPER & NAME
    return (members | (members & _UPPER) << _TO_LOWER) & ~_UPPER & NAME


def _spelt_out(members: int) -> bytes:
    """A set of exactly these bytes, of which one at least is no mark, as in all sets that case changes."""
    given = bytes(value for value in range(1, 256) if members >> value & 1)
    plain = bytes(value for value in given if value not in b"]-:[!^")
    marks = b":[!^"  # in this order none means anything: not first, and no ':' behind '['
    last = bytes(mark for mark in marks if mark in given)
    return b"[" + b"]" * (b"]" in given) + plain + last + b"-" * (b"-" in given) + b"]"
