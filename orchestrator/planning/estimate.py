"""How likely an entry is to land, by what can be told before its check; learned from what became of others.

The log odds of the target's base rate, and what each piece of evidence adds: its value times a weight. The
weights begin where nothing is known of this target, and each outcome moves them and makes them surer:
logistic regression, updated one outcome at a time by D. J. Spiegelhalter and S. L. Lauritzen, "Sequential
updating of conditional probabilities on directed graphical structures" (Networks 20, 1990). How often entries
with a path land is a beta-smoothed rate: the base rate is worth :data:`BELIEVED` of them (B. Cestnik,
"Estimating probabilities: a crucial task in machine learning", ECAI 1990).

Where the estimates have been worse than the base rate alone (:mod:`.calibration`), the base rate is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from math import exp, log2
from typing import TYPE_CHECKING, Final

from orchestrator.planning.calibration import Told, calibrated
from orchestrator.planning.chances import ELSEWHERE, SURE, log_odds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.planning.calibration import Calibration

KEPT: Final = 200
"""Outcomes that are remembered: of older ones only the weights tell."""
MOST_PATHS: Final = 20
"""A change of more files says nothing about any one of them; its size says it."""
BELIEVED: Final = 10
"""Outcomes that the rate of what nothing is known of is worth."""
_UNSURE: Final = 0.25
"""Variance of a weight before anything was learned: one evidence moves the odds by e at most, mostly."""


class Evidence(StrEnum):
    """What is looked at. All but the first two are there or not, ``own`` speaks for or against."""

    SIZE = "size"
    PATHS = "paths"
    MENDED = "mended"
    AGAIN = "again"
    OWN = "own"


_BEFORE: Final[Mapping[Evidence, float]] = {Evidence.AGAIN: -ELSEWHERE, Evidence.OWN: ELSEWHERE}
"""Weights of evidence before anything was learned, in log odds; else 0."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What can be told of an entry before its check. ``name``: its plan or branch; ``files`` that it changes.

    ``own``: what the check last said of its head as it is, without what the target has; None: nothing.
    """

    id: str
    name: str
    files: int
    paths: tuple[str, ...] = ()
    own: bool | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """An entry that was decided at ``at``, what had been ``told`` of it, and the base rate of that time."""

    id: str
    name: str
    files: int
    paths: tuple[str, ...]
    landed: bool
    told: float
    usual: float
    at: str = ""

    @property
    def outcome(self) -> Told:
        """What was told of it, and what came."""
        return Told(self.told, self.usual, self.landed)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one piece of evidence does: the odds of landing times ``odds``.

    Of paths, the worst one, with how many of its entries landed of how many; of a size, the usual one.
    ``holds``: whether its own check was green.
    """

    evidence: Evidence
    odds: float
    path: str = ""
    landed: int = 0
    of: int = 0
    files: int = 0
    usual_files: float = 0.0
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """``success`` is used: what is ``told`` by the evidence where that is ``trusted``, else the ``usual``."""

    told: float
    usual: float
    trusted: bool
    effects: tuple[Effect, ...] = ()

    @property
    def success(self) -> float:
        """The probability that it lands."""
        return self.told if self.trusted else self.usual


@dataclass(frozen=True, slots=True)
class Weights:
    """``mean`` of each weight, in the order of :class:`Evidence`, an offset last; ``spread``: covariances."""

    mean: tuple[float, ...]
    spread: tuple[tuple[float, ...], ...]

    def after(self, values: Sequence[float], told: float, *, landed: bool) -> Weights:
        """Once an entry with these values of evidence, of which that was told, was decided."""
        information = told * (1 - told)
        reach = [sum(s * v for s, v in zip(row, values, strict=True)) for row in self.spread]
        scale = 1 + information * sum(r * v for r, v in zip(reach, values, strict=True))
        return Weights(
            tuple(m + r * (landed - told) / scale for m, r in zip(self.mean, reach, strict=True)),
            tuple(
                tuple(s - a * b * information / scale for s, b in zip(row, reach, strict=True))
                for row, a in zip(self.spread, reach, strict=True)
            ),
        )


def _first_weights() -> Weights:
    size = len(Evidence) + 1
    return Weights(
        (*(_BEFORE.get(evidence, 0.0) for evidence in Evidence), 0.0),
        tuple(tuple(_UNSURE * (row == column) for column in range(size)) for row in range(size)),
    )


@dataclass(frozen=True)
class Experience:
    """What became of entries at one target: the newest ones last, and what was learned of all."""

    past: tuple[Past, ...] = ()
    weights: Weights = field(default_factory=_first_weights)

    def estimate(self, traits: Traits, usual: float) -> Estimate:
        """What is to be expected of an entry, where ``usual`` is the share of all that lands."""
        base = log_odds(usual)
        found = self._evidence(traits, base)
        *weights, offset = self.weights.mean
        told, effects = base + offset, []
        for weight, (effect, value) in zip(weights, found, strict=True):
            adds = weight * value + (offset if effect.evidence is Evidence.SIZE else 0.0)
            told += weight * value
            if value or effect.evidence is Evidence.SIZE:
                effects.append(replace(effect, odds=exp(adds)))
        return Estimate(_probability(told), _rounded(usual), self.calibration.is_better, tuple(effects))

    def after(self, traits: Traits, usual: float, *, landed: bool, at: str = "") -> Experience:
        """Once that entry was decided."""
        told = self.estimate(traits, usual).told
        values = [value for _, value in self._evidence(traits, log_odds(usual))]
        row = Past(traits.id, traits.name, traits.files, traits.paths, landed, told, _rounded(usual), at)
        return Experience((*self.past, row)[-KEPT:], self.weights.after([*values, 1.0], told, landed=landed))

    @cached_property
    def calibration(self) -> Calibration:
        """How right the estimates of those that are remembered were."""
        return calibrated(row.outcome for row in self.past)

    @cached_property
    def _by_path(self) -> Mapping[str, tuple[int, int]]:
        """How many entries with that path landed, of how many."""
        found: dict[str, tuple[int, int]] = {}
        for row in self.past:
            for path in row.paths:
                landed, of = found.get(path, (0, 0))
                found[path] = (landed + row.landed, of + 1)
        return found

    @cached_property
    def _usual_size(self) -> float:
        """The mean of the sizes, in doublings."""
        return sum(log2(max(1, row.files)) for row in self.past) / max(1, len(self.past))

    @cached_property
    def _newest(self) -> Mapping[str, Past]:
        """What came of each plan or branch last."""
        return {row.name: row for row in self.past}

    def _evidence(self, traits: Traits, base: float) -> tuple[tuple[Effect, float], ...]:
        """Each with its value, in their order; what it does to the odds is not worked out yet."""
        last = self._newest.get(traits.name)
        refused = last is not None and not last.landed
        again = last is not None and last.id == traits.id
        size = log2(max(1, traits.files)) - self._usual_size if self.past else 0.0
        own = 0.0 if traits.own is None else 1.0 if traits.own else -1.0
        return (
            (Effect(Evidence.SIZE, 1.0, files=traits.files, usual_files=2**self._usual_size), size),
            self._worst_path(traits, base),
            (Effect(Evidence.MENDED, 1.0), float(refused and not again)),
            (Effect(Evidence.AGAIN, 1.0), float(refused and again)),
            (Effect(Evidence.OWN, 1.0, holds=own > 0), own),
        )

    def _worst_path(self, traits: Traits, base: float) -> tuple[Effect, float]:
        usual, worst = _probability(base), None
        for path in traits.paths:
            landed, of = self._by_path.get(path, (0, 0))
            value = log_odds((landed + BELIEVED * usual) / (of + BELIEVED)) - base
            if worst is None or value < worst[1]:
                worst = (Effect(Evidence.PATHS, 1.0, path, landed, of), value)
        return worst or (Effect(Evidence.PATHS, 1.0), 0.0)


def _probability(odds: float) -> float:
    """Of log odds, and never surer than :data:`SURE`: what is not decided is not certain."""
    most = log_odds(SURE)
    return _rounded(1 / (1 + exp(-max(-most, min(most, odds)))))


def _rounded(probability: float) -> float:
    """No finer than anybody can tell, so that what says nothing leaves the base rate as it is."""
    return round(probability, 6)
