"""Patterns of a manifest: those of git's pathspec ``:(glob)``, in order, with ``!`` taking away.

What one pattern means is in :mod:`plans.wildmatch`. A pattern is text in a plan file, so it is strict
where git guesses: absolute texts, ``.``, ``..``, ``//`` and backslashes are errors, and there are no
escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final, Self

from plans.errors import PatternSyntaxError
from plans.plain import plain
from plans.wildmatch import expression, first_wildcard, literal_shape, wild_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_PATTERN_BYTES: Final = 1024
MAX_PATTERNS: Final = 1000
MAX_SET_BYTES: Final = 32 * 1024
"""Together these bound what the exact overlap of two sets can cost; a whole header is 64 KiB at most."""

_DRIVE: Final = re.compile(r"[A-Za-z]:/")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern. ``text`` is as written, its ``!`` included; ``negated`` says whether it takes away."""

    text: str
    negated: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the pattern, or raise :class:`PatternSyntaxError` (with index 0)."""
        body = text.removeprefix("!")
        for code, message, hint in _problems(body):
            raise PatternSyntaxError(0, text, code, message, hint)
        return cls(text, negated=text.startswith("!"))

    @property
    def glob(self) -> str:
        """The text without its ``!``: what git takes behind ``:(glob)``."""
        return self.text[1:] if self.negated else self.text

    @property
    def raw(self) -> bytes:
        """The bytes of :attr:`glob`."""
        return self.glob.encode("utf-8", "surrogateescape")

    @property
    def literal_prefix(self) -> str:
        """What every path of the pattern starts with: the text up to its first wildcard."""
        raw = self.raw
        return raw[: first_wildcard(raw)].decode("utf-8", "surrogateescape")

    @property
    def has_wildcard(self) -> bool:
        """Whether the text holds ``*``, ``?`` or ``[``."""
        raw = self.raw
        return first_wildcard(raw) < len(raw)

    def matches(self, path: str) -> bool:
        """Whether the text, its ``!`` aside, takes the file ``path`` (relative to the top, with ``/``)."""
        kind = plain(self.glob)
        if kind is not None:
            return kind.matches(path)
        raw = self.raw
        text = _encode(path)
        prefix = raw[: first_wildcard(raw)].removesuffix(b"/")
        return text.startswith(prefix) and _expression((raw,)).fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class PatternSet:
    """Patterns in order: the last one that takes a path decides whether the set has it."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Return the set, or raise :class:`PatternSyntaxError` for the first text that is no pattern."""
        patterns: list[Pattern] = []
        size = 0
        for index, text in enumerate(texts):
            try:
                patterns.append(Pattern.parse(text))
            except PatternSyntaxError as error:
                raise PatternSyntaxError(index, text, error.code, error.message, error.hint) from None
            size += len(patterns[-1].raw)
            if len(patterns) > MAX_PATTERNS or size > MAX_SET_BYTES:
                limits = f"a list has at most {MAX_PATTERNS} patterns and {MAX_SET_BYTES} bytes"
                raise PatternSyntaxError(index, text, "pattern-list-too-long", limits, "name folders instead")
        return cls(tuple(patterns))

    @property
    def texts(self) -> tuple[str, ...]:
        """The patterns as written."""
        return tuple(pattern.text for pattern in self.patterns)

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def matches(self, path: str) -> bool:
        """Whether the set has the file ``path``."""
        return self.giving(path) is not None

    def matcher(self) -> Callable[[str], bool]:
        """:meth:`matches` for many paths: what is the same for all of them is done once."""
        return _matcher(self.patterns)

    def giving(self, path: str) -> Pattern | None:
        """The pattern through which the set has ``path``, or None when it does not have it."""
        for pattern in reversed(self.patterns):
            if pattern.matches(path):
                return None if pattern.negated else pattern
        return None


def bracket_literals(patterns: PatternSet, existing: Iterable[str]) -> tuple[Pattern, ...]:
    """The patterns whose ``[…]`` names an existing path when taken for itself (``app/[id]/page.tsx``).

    git takes such a text literally as a whole, but with any wildcard beside it (``app/[id]/*``) the
    bracket is one byte of a set, which is hardly what was meant. ``existing`` are paths of files; ``lint``
    gives the hint to write ``app/?id?/*``.
    """
    suspects = {pattern: _bracketless(pattern.raw) for pattern in patterns.patterns if "[" in pattern.glob}
    found: set[Pattern] = set()
    if suspects:
        for path in existing:
            if "[" in path:
                raw = _encode(path)
                found.update(pattern for pattern, regex in suspects.items() if regex.fullmatch(raw))
    return tuple(pattern for pattern in patterns.patterns if pattern in found)


def _problems(body: str) -> Iterable[tuple[str, str, str]]:
    """Code, message and hint of each thing wrong with a pattern, its ``!`` taken off."""
    try:
        size = len(body.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        yield "pattern-encoding", "the pattern holds half a character (a lone surrogate)", ""
        return
    if not body:
        yield "pattern-empty", "the pattern is empty", "'**' means every file"
    if size > MAX_PATTERN_BYTES:
        yield "pattern-too-long", f"the pattern has {size} bytes; {MAX_PATTERN_BYTES} are allowed", ""
    if "\0" in body:
        yield "pattern-nul", "the pattern holds a NUL byte, which no path has", ""
    if "\\" in body:
        yield "pattern-backslash", "a backslash is not allowed", "'/' separates on every platform"
    if body.startswith("/") or _DRIVE.match(body):
        yield "pattern-absolute", "the path is absolute", "paths are relative to the repository's top"
    if body.startswith((":(", ":!", ":^", ":/")):
        yield "pattern-magic", "git's pathspec magic is not allowed", "write the path; '!' takes away"
    yield from _problems_of_components(body.removesuffix("/").split("/"))


def _problems_of_components(names: list[str]) -> Iterable[tuple[str, str, str]]:
    if ".." in names:
        yield "pattern-parent", "'..' is not allowed", "paths are relative to the repository's top"
    if "." in names:
        yield "pattern-dot", "'.' is not allowed", "leave './' out; '**' means every file"
    if "" in names:
        yield "pattern-empty-component", "the path has an empty component", "write one '/' only"


def _encode(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=4096)
def _matcher(patterns: tuple[Pattern, ...]) -> Callable[[str], bool]:
    runs = [
        (not negated, _expression(tuple(pattern.raw for pattern in run)).fullmatch)
        for negated, run in groupby(patterns, key=lambda pattern: pattern.negated)
    ]
    runs.reverse()

    def matches(path: str) -> bool:
        raw = path.encode("utf-8", "surrogateescape")
        for gives, fullmatch in runs:
            if fullmatch(raw):
                return gives
        return False

    return matches


@lru_cache(maxsize=4096)
def _expression(raws: tuple[bytes, ...]) -> re.Pattern[bytes]:
    shapes = (shape for raw in raws for shape in (literal_shape(raw), *wild_shapes(raw)))
    return re.compile(b"|".join(dict.fromkeys(map(expression, shapes))), re.DOTALL)


def _bracketless(raw: bytes) -> re.Pattern[bytes]:
    prefixes = [raw[: found.end()] for found in re.finditer(rb"[^/]*\[[^/]*", raw)]
    shapes = (s for text in prefixes for s in (literal_shape(text), *wild_shapes(text, brackets=False)))
    below = (expression(shape) + b"(?:/.+)?" for shape in shapes)
    return re.compile(b"|".join(below), re.DOTALL)
