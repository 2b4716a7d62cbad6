"""Patterns of a manifest: those of git's pathspec ``:(glob)``, in order, with ``!`` taking away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from plans.errors import PatternSyntaxError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class PatternSet:
    """An ordered list of patterns (minimal, until the patterns room is merged)."""

    patterns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Return the set, or raise :class:`PatternSyntaxError`."""
        for index, text in enumerate(texts):
            if ".." in text.split("/") or text.startswith("/") or "\\" in text:
                code, message = "bad-pattern", "'..', absolute paths and backslashes are not allowed"
                raise PatternSyntaxError(index, text, code, message)
        return cls(tuple(texts))
