"""The chance of an entry: what moves it, how it learns, and that it is never trusted where it was worse."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.calibration import Told, calibrated
from orchestrator.planning.estimate import KEPT, MOST_PATHS, Evidence, Experience, Traits
from orchestrator.planning.model import Rates
from orchestrator.planning.policy import Policy, plan
from orchestrator.planning.remembered import read, written
from orchestrator.simulation.engine import Conditions, Simulation
from orchestrator.simulation.oracle import serial
from orchestrator.simulation.repository import Touch, touches
from orchestrator.simulation.workload import Recipe, draw

USUAL = 0.9
PLAIN = Traits("e1", "api", 3, ("a.py",))


def seen(*outcomes: tuple[Traits, bool], usual: float = USUAL) -> Experience:
    known = Experience()
    for traits, landed in outcomes:
        known = known.after(traits, usual, landed=landed)
    return known


def told(known: Experience, traits: Traits) -> float:
    return known.estimate(traits, USUAL).told


def entry(number: int, files: int = 3, paths: tuple[str, ...] = ()) -> Traits:
    return Traits(f"e{number}", f"p{number}", files, paths)


def test_where_nothing_is_known_it_is_the_base_rate() -> None:
    found = Experience().estimate(PLAIN, USUAL)
    assert found.success == pytest.approx(USUAL)
    assert found.trusted


def test_paths_whose_entries_were_rejected_lower_it_and_name_the_worst() -> None:
    known = seen(
        *[(entry(n, paths=("bad.py", "a.py")), False) for n in range(4)], (entry(9, paths=("a.py",)), True)
    )
    with_it = replace(PLAIN, id="x", paths=("a.py", "bad.py"))
    without = replace(PLAIN, id="x", paths=("new.py",))
    assert told(known, with_it) < told(known, without)
    (paths,) = [e for e in known.estimate(with_it, USUAL).effects if e.evidence is Evidence.PATHS]
    assert (paths.path, paths.landed, paths.of) == ("bad.py", 0, 4)
    assert paths.odds < 1


def test_where_the_large_ones_fail_a_large_one_is_less_likely() -> None:
    small, large = [(entry(n, 1), True) for n in range(9)], [(entry(50 + n, 40), False) for n in range(9)]
    mixed = [one for pair in zip(small, large, strict=True) for one in pair]
    known = seen(*mixed)
    assert told(known, entry(99, 64)) < told(known, entry(99, 8)) < told(known, entry(99, 1))


def test_the_same_head_again_is_less_likely_and_a_mended_one_is_not() -> None:
    known = seen((PLAIN, False))
    again, mended = known.estimate(PLAIN, USUAL), known.estimate(replace(PLAIN, id="e2"), USUAL)
    assert again.told < 0.6 < mended.told
    assert Evidence.AGAIN in {e.evidence for e in again.effects}
    assert Evidence.MENDED in {e.evidence for e in mended.effects}
    landed = seen((PLAIN, False), (replace(PLAIN, id="e2"), True))
    assert {e.evidence for e in landed.estimate(replace(PLAIN, id="e3"), USUAL).effects} <= {
        Evidence.SIZE,
        Evidence.PATHS,
    }


def test_its_own_check_tells_most() -> None:
    green, none, red = (told(Experience(), replace(PLAIN, own=own)) for own in (True, None, False))
    assert green > 0.98
    assert none == pytest.approx(USUAL)
    assert red < 0.6


def test_the_effects_multiply_to_what_is_told() -> None:
    known = seen(*[(entry(n, 1 + n, (f"f{n % 3}",)), bool(n % 4)) for n in range(40)], (PLAIN, False))
    found = known.estimate(replace(PLAIN, paths=("f0", "f1"), own=True), USUAL)
    odds = USUAL / (1 - USUAL)
    for effect in found.effects:
        odds *= effect.odds
    assert found.told == pytest.approx(odds / (1 + odds))


@given(
    st.lists(st.tuples(st.integers(1, 90), st.booleans(), st.sampled_from([None, True, False])), max_size=30)
)
def test_each_outcome_moves_the_estimate_towards_itself_and_makes_it_surer(
    outcomes: list[tuple[int, bool, bool | None]],
) -> None:
    known = Experience()
    for number, (files, landed, own) in enumerate(outcomes):
        traits = Traits(f"e{number}", f"p{number}", files, own=own)
        values = [value for _, value in known._evidence(traits, log(9))]
        before, after = known.weights, known.after(traits, USUAL, landed=landed).weights
        moved = sum((a - b) * v for a, b, v in zip(after.mean, before.mean, [*values, 1.0], strict=True))
        assert (moved > 0) == landed
        assert all(a[i] <= b[i] for i, (a, b) in enumerate(zip(after.spread, before.spread, strict=True)))
        known = known.after(traits, USUAL, landed=landed)


def test_where_the_estimates_were_worse_the_base_rate_is_used_until_they_are_better() -> None:
    """Green checks of their own, and yet they fail; then as they should."""
    known = Experience()
    for number in range(3):
        known = known.after(replace(entry(number), own=True), USUAL, landed=False)
    found = known.estimate(replace(PLAIN, own=True), USUAL)
    assert not found.trusted
    assert found.success == USUAL
    for number in range(KEPT):
        known = known.after(entry(number, files=1 + 63 * (number % 2)), USUAL, landed=not number % 2)
    assert known.estimate(PLAIN, USUAL).trusted
    assert len(known.past) == KEPT


def test_it_is_remembered_whatever_the_paths_are_called() -> None:
    known = seen((replace(PLAIN, paths=("caf\udce9", "a\nb")), True), (entry(3), False))
    assert read(written({"main": known, "origin/main": Experience()})) == {
        "main": known,
        "origin/main": Experience(),
    }
    assert read(None) == {}


def learned(made: list[Touch], failure: float) -> tuple[list[Told], list[Told]]:
    """What was told of each, and what was used."""
    known, usual, raw, used = Experience(), 1 - failure, [], []
    for number, touch in enumerate(made):
        few = tuple(touch.paths) if len(touch.paths) <= MOST_PATHS else ()
        traits = Traits(f"e{number}", f"p{number}", len(touch.paths), few)
        found = known.estimate(traits, usual)
        raw.append(Told(found.told, usual, not touch.fails))
        used.append(Told(found.success, usual, not touch.fails))
        known = known.after(traits, usual, landed=not touch.fails)
    return raw, used


def worlds(failure: float) -> tuple[list[Told], list[Told]]:
    found = [learned(touches(Random(seed), 300, 400, failure), failure) for seed in range(3)]
    return [one for raw, _ in found for one in raw], [one for _, used in found for one in used]


@pytest.mark.parametrize("failure", [0.1, 0.2])
def test_where_size_and_paths_decide_it_beats_the_base_rate_and_is_calibrated(failure: float) -> None:
    raw, used = worlds(failure)
    assert calibrated(used).brier < 0.95 * calibrated(used).usual
    for bucket in calibrated(raw).buckets:
        expected, seen_share = bucket.told, bucket.landed / bucket.count
        error = (expected * (1 - expected) / bucket.count) ** 0.5
        assert abs(seen_share - expected) < 0.05 + 3 * error, bucket


def test_p6_what_was_learned_saves_checks_and_lands_the_same() -> None:
    recipe = Recipe(changes=150, rate=inf, failure=0.2, files=300)
    checks = Counter[bool]()
    for seed in range(2):
        changes = draw(recipe, seed)
        for learns in (True, False):
            where = Conditions(20, Rates(recipe.failure), seed=seed, learns=learns)
            outcome = Simulation(changes, lambda view: plan(view, Policy.RANKED), where).run()
            assert set(outcome.landed) == serial(changes)
            checks[learns] += outcome.checks
    assert checks[True] < 0.95 * checks[False]


def test_where_nothing_decides_it_costs_nearly_nothing() -> None:
    found = []
    for seed in range(3):
        dice = Random(seed)
        made = [replace(touch, fails=dice.random() < 0.1) for touch in touches(dice, 300, 400, 0.1)]
        found += learned(made, 0.1)[1]
    assert calibrated(found).brier < 1.02 * calibrated(found).usual


def test_buckets_count_everybody_once() -> None:
    made = [Told(share / 20, 0.5, bool(share % 2)) for share in range(21)]
    found = calibrated([replace_told(one) for one in made])
    assert sum(bucket.count for bucket in found.buckets) == found.outcomes == 21
    assert calibrated([]).is_better


def replace_told(one: Told) -> Told:
    """Never surer than the estimator is."""
    return one._replace(told=min(0.999, max(0.001, one.told)))
