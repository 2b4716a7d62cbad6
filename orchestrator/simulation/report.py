"""Policies side by side over the same changes: what each costs, and how long a change waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING, Final

from orchestrator.planning.calibration import calibrated
from orchestrator.planning.model import TRIES, Rates
from orchestrator.planning.policy import Policy, plan
from orchestrator.simulation.engine import Conditions, Simulation
from orchestrator.simulation.oracle import serial, turnarounds
from orchestrator.simulation.workload import draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.planning.calibration import Calibration
    from orchestrator.simulation.engine import Outcome
    from orchestrator.simulation.workload import Change, Recipe

ORACLE: Final = "oracle"
CURVE: Final = (1, *range(5, 100, 5), 99)
"""Percents of the curve of turnarounds."""


class UnlikeSerialError(AssertionError):
    """A simulated queue landed something else than the serial one would: the planner is wrong."""

    def __init__(self, policy: str, seed: int, differing: frozenset[str]) -> None:
        super().__init__(f"{policy}, seed {seed}: differs from the serial oracle in {sorted(differing)[:5]}")
        self.policy, self.seed, self.differing = policy, seed, differing


@dataclass(frozen=True, slots=True)
class Row:
    """One policy over all seeds.

    ``p50``, ``p95``, ``p99``: medians over the seeds of the quantiles of seconds from arrival to decision;
    ``checks``, ``stopped`` (before their end) and ``seconds`` (of checks) for each change; ``per_landed``
    checks for each that landed; ``wrong``: the share of good changes that were rejected by accident;
    ``curve``: the quantiles of :data:`CURVE`, as ``p50`` is one. ``calibration`` of the estimates, where the
    planner had to learn them.
    """

    policy: str
    p50: float
    p95: float
    p99: float
    checks: float
    stopped: float
    per_landed: float
    seconds: float
    wrong: float
    curve: tuple[float, ...] = field(repr=False)
    calibration: Calibration | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """``flake``: the share of checks that are red by accident; ``slots``: how many run at once.

    ``tries``: red checks of a change by itself by which it is rejected.
    """

    recipe: Recipe
    slots: int = 1
    flake: float = 0.0
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    tries: int = TRIES


def compare(setting: Setting, policies: Sequence[Policy]) -> Iterator[Row]:
    """The oracle's row, then one for each policy. Raises UnlikeSerialError."""
    drawn = {seed: draw(setting.recipe, seed) for seed in setting.seeds}
    ideal = [list(turnarounds(changes, setting.slots).values()) for changes in drawn.values()]
    yield _row(ORACLE, ideal, [], drawn)
    for policy in policies:
        outcomes = [_simulate(setting, policy, seed, changes) for seed, changes in drawn.items()]
        yield _row(policy, [list(o.turnaround.values()) for o in outcomes], outcomes, drawn)


def _simulate(setting: Setting, policy: Policy, seed: int, changes: Sequence[Change]) -> Outcome:
    rates = Rates(setting.recipe.failure, setting.flake)
    learns = setting.recipe.told is None and setting.recipe.tells_paths
    conditions = Conditions(setting.slots, rates, setting.flake, seed, tries=setting.tries, learns=learns)
    outcome = Simulation(changes, lambda view: plan(view, policy), conditions).run()
    differing = serial(_in_order(changes, outcome)) ^ frozenset(outcome.landed)
    if differing and not setting.flake:
        raise UnlikeSerialError(policy, seed, differing)
    return outcome


def _in_order(changes: Sequence[Change], outcome: Outcome) -> Sequence[Change]:
    """The order in which the serial queue is to go: of arrival, or, with priorities, of the decisions."""
    if len({change.priority for change in changes}) == 1:
        return changes
    named = {change.id: change for change in changes}
    return [named[name] for name in outcome.turnaround]


def _row(
    name: str, waits: list[list[float]], outcomes: list[Outcome], drawn: Mapping[int, Sequence[Change]]
) -> Row:
    changes = sum(map(len, drawn.values()))
    good = sum(len(serial(some)) for some in drawn.values())
    landed = sum(len(o.landed) for o in outcomes) or good
    wrong = sum(_wrong(some, o) for some, o in zip(drawn.values(), outcomes, strict=False))
    checks = sum(o.checks for o in outcomes) if outcomes else changes
    busy = sum(o.busy for o in outcomes) if outcomes else sum(c.seconds for d in drawn.values() for c in d)
    return Row(
        policy=name,
        **{f"p{n}": median(quantile(some, n) for some in waits) for n in (50, 95, 99)},
        checks=checks / changes,
        stopped=mean([o.stopped for o in outcomes] or [0]) * len(outcomes) / changes,
        per_landed=checks / max(1, landed),
        seconds=busy / changes,
        wrong=wrong / max(1, good),
        curve=tuple(median(quantile(some, n) for some in waits) for n in CURVE),
        calibration=calibrated(told) if (told := [one for o in outcomes for one in o.told]) else None,
    )


def _wrong(changes: Sequence[Change], outcome: Outcome) -> int:
    return len(serial(_in_order(changes, outcome)).intersection(outcome.ejected))


def quantile(values: Sequence[float], percent: int) -> float:
    """The value below which ``percent`` of them lie."""
    return values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]
