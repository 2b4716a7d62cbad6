"""Files that history says change together: association rules over commits.

A rule "who changes ``given`` changes ``then``" holds with a support (commits that changed both) and a
confidence (their share of the commits that changed ``given``). As in T. Zimmermann, P. Weißgerber, S. Diehl,
A. Zeller, "Mining Version Histories to Guide Software Changes" (ICSE 2004), with one file on the left and
rules made only for the files that are asked for. The bounds are ours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LEAST_SUPPORT: Final = 3
LEAST_CONFIDENCE: Final = 0.5
MAX_FILES: Final = 30
"""A commit that changes more (a rename of everything, a new licence line) says nothing about its files."""
MAX_RULES: Final = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """``support`` of the ``commits`` that changed ``given`` changed ``then`` as well."""

    given: str
    then: str
    support: int
    commits: int

    @property
    def confidence(self) -> float:
        """From 0 to 1."""
        return self.support / self.commits


class CoChanges:
    """What commits changed, one set of paths each; larger ones than :data:`MAX_FILES` are left out."""

    def __init__(self, changes: Sequence[frozenset[str]]) -> None:
        self._changes = [paths for paths in changes if len(paths) <= MAX_FILES]

    @cached_property
    def _by_file(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, paths in enumerate(self._changes):
            for path in paths:
                found.setdefault(path, []).append(number)
        return found

    def rules(self, files: Collection[str]) -> tuple[Rule, ...]:
        """The strongest rule for each file that changes with one of ``files``, at most :data:`MAX_RULES`.

        Strongest first: by confidence, then support, then name.
        """
        best: dict[str, Rule] = {}
        for given in sorted(files):
            for rule in self._from(given):
                if rule.then not in files:
                    best[rule.then] = min(rule, best.get(rule.then, rule), key=_strength)
        return tuple(sorted(best.values(), key=_strength)[:MAX_RULES])

    def _from(self, given: str) -> list[Rule]:
        commits = self._by_file.get(given, ())
        if len(commits) < LEAST_SUPPORT:
            return []
        together = Counter(path for number in commits for path in self._changes[number] if path != given)
        rules = (Rule(given, then, support, len(commits)) for then, support in together.items())
        return [r for r in rules if r.support >= LEAST_SUPPORT and r.confidence >= LEAST_CONFIDENCE]


def _strength(rule: Rule) -> tuple[float, int, str, str]:
    return (-rule.confidence, -rule.support, rule.then, rule.given)
