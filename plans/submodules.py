"""Submodules in manifests: for the repository, a path inside one is a change of the submodule itself.

git records of a submodule which commit it is at, as one entry of the tree. Two plans that work on different
files inside of it both move that entry, so they meet in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plans.errors import PatternSyntaxError, UndecidedPatternsError
from plans.intersect import witness
from plans.patterns import Pattern, PatternSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plans.model import Manifest, Plan


def with_submodules(plan: Plan, submodules: Iterable[str]) -> Plan:
    """``plan`` whose lists also name each of ``submodules`` that one of their patterns reaches into.

    A submodule whose name no pattern can have (it holds a backslash) cannot be reached into either.
    """
    entries = [pattern for path in submodules if (pattern := _entry(path)) is not None]
    if not entries:
        return plan
    phases = tuple(replace(phase, manifest=_reaching(phase.manifest, entries)) for phase in plan.phases)
    return replace(plan, manifest=_reaching(plan.manifest, entries), phases=phases)


def _entry(path: str) -> Pattern | None:
    try:
        pattern = Pattern.parse(path)
    except PatternSyntaxError:
        return None
    return None if pattern.negated else pattern


def _reaching(manifest: Manifest | None, entries: list[Pattern]) -> Manifest | None:
    if manifest is None:
        return None
    write, read = (_with(patterns, entries) for patterns in (manifest.write, manifest.read))
    return replace(manifest, write=write, read=read)


def _with(patterns: PatternSet, entries: list[Pattern]) -> PatternSet:
    """The entries come last, so that nothing takes them away again."""
    more = tuple(e for e in entries if not patterns.matches(e.text) and _reaches_into(patterns, e.text))
    return PatternSet((*patterns.patterns, *more)) if more else patterns


def _reaches_into(patterns: PatternSet, submodule: str) -> bool:
    """Whether the set has a path below ``submodule``; where exclusions are too entangled to tell, it has."""
    inside = f"{submodule}/"
    prefixes = (pattern.literal_prefix for pattern in patterns.patterns if not pattern.negated)
    if not any(prefix.startswith(inside) or inside.startswith(prefix) for prefix in prefixes):
        return False
    try:
        return witness(patterns, PatternSet((Pattern(inside),))) is not None
    except UndecidedPatternsError:
        return True
