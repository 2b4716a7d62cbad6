"""What the policies cost and bring on the virtual clock: the same figures on every machine.

One check slot: changes that all overlap and come at once, a thousand seeds. Many slots: the recipe by which
SubmitQueue is reconstructed (docs/queue.md), n = 1,000, c = .05, five seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path

from benchmarks.measure import Result, Target
from orchestrator.planning.model import TRIES
from orchestrator.planning.policy import Policy
from orchestrator.simulation.report import Row, Setting, compare
from orchestrator.simulation.workload import Recipe

SEEDS = 1000
MOST = {0.01: 0.20, 0.05: 0.50, 0.10: 0.75}
"""Checks for each that lands, by the share that fails."""
FLAKE = 0.05
MANY = Recipe(1000, 500, 0.05, 0.0335, 0.1, 0.97)
MANY_SEEDS = 5


def results(_scratch: Path, _cache: Path) -> Iterator[Result]:
    for failure, most in MOST.items():
        found = one_slot(100, failure, Policy.AUTO)
        name = f"auto, one slot, {failure:.0%} fail: checks for each that lands"
        yield Result(name, found.per_landed, rounds=SEEDS, target=Target(most), unit="")
    yield Result(
        "auto, one slot, 15 at once, 5% fail: check time for each",
        one_slot(15, 0.05, Policy.AUTO).seconds / 60,
        "serial",
        one_slot(15, 0.05, Policy.SERIAL).seconds / 60,
        SEEDS,
        Target(0.45),
        unit="min",
    )
    yield from _accidents()
    oracle, auto = compare(Setting(MANY, 500, seeds=range(MANY_SEEDS)), [Policy.AUTO])
    what = "auto, 500 slots, n = 1,000, c = .05"
    longest = (auto.p95 / 60, "oracle", oracle.p95 / 60, MANY_SEEDS, Target(1.5))
    yield Result(f"{what}: 95% are decided in", *longest, unit="min")
    yield Result(f"{what}: checks for each", auto.checks, rounds=MANY_SEEDS, target=Target(5), unit="")


def _accidents() -> Iterator[Result]:
    """What second tries save, what they cost, and what accidents cost in all."""
    steady, first, flaky = (
        one_slot(100, 0.01, Policy.AUTO, flake, tries)
        for flake, tries in ((0.0, TRIES), (FLAKE, 1), (FLAKE, TRIES))
    )
    name = f"auto, one slot, 1% fail, {FLAKE:.0%} of checks red by accident"
    rejecting = "rejecting at the first red"
    wrong = f"{name}: good ones rejected"
    yield Result(wrong, flaky.wrong * 100, rejecting, first.wrong * 100, SEEDS, unit="%")
    yield Result(wrong, flaky.wrong * 100, rounds=SEEDS, target=Target(0.3), unit="%")
    checks = f"{name}: checks for each"
    yield Result(checks, flaky.checks, rejecting, first.checks, SEEDS, Target(1.1), unit="")
    yield Result(checks, flaky.checks, "without accidents", steady.checks, SEEDS, Target(1.1), unit="")


def one_slot(changes: int, failure: float, policy: Policy, flake: float = 0.0, tries: int = TRIES) -> Row:
    recipe = Recipe(changes, inf, 1.0, 0.0, failure, even=True)
    (_, row) = compare(Setting(recipe, 1, flake, range(SEEDS), tries), [policy])
    return row
