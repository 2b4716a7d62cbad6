"""What plans will touch beside what they declare: named in their text, or changed with it in history.

Of a plan without a manifest everything counts that :mod:`plans.predict` finds. Of one that declares, only
single files: a folder or a pattern in its text says where, not what. From the files of either kind that are
known by name, :mod:`plans.cochange` goes on to what changes with them.

Predictions advise. Where ``predicted: bind`` is set, a plan without a manifest is compared and ordered as if
it had declared them; what its work is held to when it lands is what it declared, nothing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from plans.cochange import CoChanges
from plans.errors import PatternSyntaxError
from plans.model import Manifest
from plans.patterns import Pattern, PatternSet
from plans.predict import Guess, Lookup, predict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from plans.model import Plan
    from plans.tree import FileTree


def no_history() -> Sequence[frozenset[str]]:
    """Nothing is known of earlier changes."""
    return ()


class Predictor:
    """Predictions for plans among the existing files ``tree``.

    ``history`` gives the files that each commit changed; it is asked once, and only when a plan names a file.
    """

    def __init__(self, tree: FileTree, history: Callable[[], Sequence[frozenset[str]]] = no_history) -> None:
        self._tree = tree
        self._lookup = Lookup(tree)
        self._history = history

    @cached_property
    def _changes(self) -> CoChanges:
        return CoChanges(self._history())

    def guesses(self, plan: Plan, hot: Collection[str] = ()) -> tuple[Guess, ...]:
        """What ``plan`` names beyond its manifest, in the order of its text, then what changes with that.

        Files among ``hot`` are left out where the plan declares others.
        """
        named, declared = predict(plan, self._lookup), plan.declared
        if declared is not None:
            named = tuple(guess for guess in named if _is_single(guess) and guess.pattern not in hot)
        beyond = tuple(guess for guess in named if not _has(declared, guess.pattern))
        known = {guess.pattern for guess in named if guess.exists and _is_single(guess)}
        known |= set(self._declared_files(declared))
        rules = self._changes.rules(known) if known else ()
        own = {plan.path.as_posix(), *hot}
        more = (Guess(r.then, None, exists=True, because=r) for r in rules if self._is_news(r.then, declared))
        return (*beyond, *(guess for guess in more if guess.pattern not in own))

    def _declared_files(self, declared: Manifest | None) -> Iterable[str]:
        """Existing files that the manifest writes by their very names."""
        patterns = declared.write.patterns if declared else ()
        return (p.text for p in patterns if not p.negated and self._tree.has_file(p.text))

    def _is_news(self, path: str, declared: Manifest | None) -> bool:
        return self._tree.has_file(path) and _is_pattern(path) and not _has(declared, path)

    def bound(self, plans: Iterable[Plan]) -> tuple[Plan, ...]:
        """The plans, those without a manifest with the predicted one where there is any."""
        return tuple(self._bound(plan) for plan in plans)

    def _bound(self, plan: Plan) -> Plan:
        guesses = self.guesses(plan) if plan.manifest is None else ()
        return with_predicted(plan, [guess.pattern for guess in guesses]) if guesses else plan


def with_predicted(plan: Plan, write: Sequence[str]) -> Plan:
    """``plan`` with a predicted manifest."""
    return replace(plan, manifest=Manifest(PatternSet.parse(write), predicted=True))


def supposed(plan: Plan, guesses: Sequence[Guess]) -> Plan:
    """``plan`` as if it had declared to write what was guessed, too."""
    more = PatternSet.parse([guess.pattern for guess in guesses]).patterns
    manifest = plan.manifest or Manifest()
    return replace(plan, manifest=replace(manifest, write=PatternSet((*manifest.write.patterns, *more))))


def _is_pattern(path: str) -> bool:
    """Whether a manifest could name the file; a leading ``!`` or a backslash means something else there."""
    try:
        return not Pattern.parse(path).negated
    except PatternSyntaxError:
        return False


def _is_single(guess: Guess) -> bool:
    return not guess.pattern.endswith("/") and not any(mark in guess.pattern for mark in "*?")


def _has(manifest: Manifest | None, path: str) -> bool:
    return manifest is not None and (manifest.write.matches(path) or manifest.read.matches(path))
