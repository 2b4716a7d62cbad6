"""planctl, its supervisors, its git children or all of them killed anywhere; all is done once, none lost.

``PLANCTL_STRESS_KILLS`` (1,000) random kills over the scenarios, from ``PLANCTL_STRESS_SEED``; and a kill
before and after every named step. ``PLANCTL_STRESS_ONLY=SCENARIO:HOW=AT``, as a failure names it, repeats
one. ``PLANCTL_STRESS_LOG`` is a file that gets each failure as soon as it is met.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stress.killing.campaign import Bench, Kill, Tally, random_kills, step_kills
from tests.stress.killing.scenario import Scenario
from tests.stress.killing.scenarios.landing import Landing
from tests.stress.killing.scenarios.migration import Migration
from tests.stress.killing.scenarios.pair import Pair
from tests.stress.killing.scenarios.rescue import Rescue
from tests.stress.killing.scenarios.run import Run
from tests.stress.killing.scenarios.slots import Slots
from tests.support.campaigns import Record
from tests.support.powercut import COMPILER

SCENARIOS: dict[str, Scenario] = {
    s.name: s for s in (Run(), Landing(), Slots(), Rescue(), Migration(), Pair())
}
SHARES = {"run": 26, "landing": 20, "slots": 18, "rescue": 14, "migration": 4, "pair": 18}
SEED = int(os.environ.get("PLANCTL_STRESS_SEED", "20261125"))
KILLS = int(os.environ.get("PLANCTL_STRESS_KILLS", "1000"))
ONLY = os.environ.get("PLANCTL_STRESS_ONLY", "")
SLICE = {"run": "git=400", "landing": "all=350", "rescue": "planctl=150", "migration": "planctl=60"}
"""One kill each, amid the calls that an undisturbed run makes; `make test` does not count them first."""
AT_ONCE = 10
SHARDS = 4
needs_compiler = pytest.mark.skipif(
    COMPILER is None, reason="calls are counted by a library made by cc, on Linux"
)
Benches = Callable[[str], Bench]


def chunks() -> list[tuple[str, int, int]]:
    """(scenario, number of the chunk, kills in it), the scenarios in turn so that a part of it is of all."""
    found = []
    for name, share in SHARES.items():
        kills = round(KILLS * share / sum(SHARES.values()))
        parts = [min(AT_ONCE, kills - done) for done in range(0, kills, AT_ONCE)]
        found += [((n + 0.5) / len(parts), name, n, part) for n, part in enumerate(parts)]
    return [chunk[1:] for chunk in sorted(found)]


@pytest.fixture(scope="session")
def benches(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Benches:
    """One place per scenario and worker."""
    made: dict[str, Bench] = {}

    def bench(name: str) -> Bench:
        if name not in made:
            made[name] = Bench(SCENARIOS[name], tmp_path_factory.mktemp(name), template)
        return made[name]

    return bench


def tell(record: Record, tally: Tally) -> None:
    record(
        "kills",
        (tally.bench.scenario.name, dict(tally.made), tally.missed, len(tally.failures), tally.by_hand),
    )


@needs_compiler
@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.skipif(bool(ONLY), reason="PLANCTL_STRESS_ONLY names one kill")
@pytest.mark.parametrize(("name", "chunk", "number"), chunks(), ids=str)
def test_random_kills(benches: Benches, record_property: Record, name: str, chunk: int, number: int) -> None:
    tally = Tally(benches(name))
    for kill in random_kills(tally.bench.count(), random.Random(f"{SEED}-{name}-{chunk}"), number):
        tally.play(kill)
    tell(record_property, tally)
    tally.require_none_failed()


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.skipif(bool(ONLY), reason="PLANCTL_STRESS_ONLY names one kill")
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_step(benches: Benches, record_property: Record, name: str, shard: int) -> None:
    tally = Tally(benches(name))
    kills = step_kills(tally.bench.steps(), random.Random(f"{SEED}-{name}"))
    for kill in kills[shard::SHARDS]:
        tally.play(kill)
    tell(record_property, tally)
    tally.require_none_failed()


@pytest.mark.stress
@pytest.mark.skipif(not ONLY, reason="PLANCTL_STRESS_ONLY names no kill")
def test_one_kill(benches: Benches) -> None:
    name, _, kill = ONLY.partition(":")
    how, _, at = kill.partition("=")
    assert benches(name).play(Kill(how, at)), "nothing was killed"


@needs_compiler
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SLICE)
def test_a_slice_of_the_campaign(benches: Benches, name: str) -> None:
    how, _, at = SLICE[name].partition("=")
    assert benches(name).play(Kill(how, at)), "nothing was killed: the run makes fewer calls than that"
