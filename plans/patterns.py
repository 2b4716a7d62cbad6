"""Patterns of a manifest: those of git's pathspec ``:(glob)``, in order, with ``!`` taking away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatternSet:
    """An ordered list of patterns; filled by the patterns issue owner (placeholder shape)."""

    patterns: tuple[str, ...] = ()
