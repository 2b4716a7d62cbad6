"""The window of prefix speculation: additive increase, multiplicative decrease, with a floor."""

from __future__ import annotations

from itertools import pairwise

from orchestrator.planning import window
from orchestrator.planning.model import Rates, Snapshot, Wanted
from orchestrator.planning.policy import Policy, plan
from orchestrator.planning.window import CEILING, FIRST, FLOOR, after
from orchestrator.simulation.engine import Conditions, Simulation
from orchestrator.simulation.workload import Recipe, draw


def test_it_grows_by_one_and_halves() -> None:
    assert after(20, landed=True) == 21
    assert after(21, landed=False) == 10


def test_it_never_falls_below_its_floor_nor_grows_without_end() -> None:
    assert after(FLOOR, landed=False) == FLOOR
    assert after(CEILING, landed=True) == CEILING
    assert Snapshot((), ()).window == FIRST


def test_failures_narrow_what_is_speculated_on_and_successes_widen_it() -> None:
    """By what the planner is told in a simulation: every change of it is one landing or one ejection."""
    seen: list[int] = []
    widest = 0

    def planner(view: Snapshot) -> Wanted:
        nonlocal widest
        seen.append(view.window)
        wanted = plan(view, Policy.PREFIX)
        assert len(wanted.checks) <= view.window
        widest = max(widest, len(wanted.checks))
        return wanted

    changes = draw(Recipe(changes=80, failure=0.2), 3)
    outcome = Simulation(changes, planner, Conditions(60, Rates(0.2))).run()
    assert outcome.ejected
    assert len(outcome.landed) + len(outcome.ejected) == 80
    steps = [(a, b) for a, b in pairwise(seen) if a != b]
    assert all(b in {window.after(a, landed=True), window.after(a, landed=False)} for a, b in steps)
    assert min(seen) < FIRST < 60
    assert widest <= max(seen)
