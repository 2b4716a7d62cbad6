"""Patterns of a manifest: those of git's pathspec ``:(glob)``, in order, with ``!`` taking away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from plans.errors import PatternSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, as written."""

    text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class PatternSet:
    """An ordered list of patterns (minimal, until the patterns room is merged)."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Return the set, or raise :class:`PatternSyntaxError`."""
        patterns = []
        for index, text in enumerate(texts):
            if ".." in text.split("/") or text.startswith("/") or "\\" in text:
                message = "'..', absolute paths and backslashes are not allowed"
                raise PatternSyntaxError(index, text, "pattern-parent", message)
            patterns.append(Pattern(text, text.startswith("!")))
        return cls(tuple(patterns))


def bracket_literals(patterns: PatternSet, existing: Iterable[str]) -> tuple[Pattern, ...]:
    """The patterns whose ``[…]`` names an existing path when taken for itself."""
    paths = [path for path in existing if "[" in path]
    return tuple(p for p in patterns.patterns if any(q.startswith(p.text.removesuffix("**")) for q in paths))
