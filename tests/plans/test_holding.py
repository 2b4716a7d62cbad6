"""What a plan holds of named resources, and until when (S2.8)."""

from __future__ import annotations

from plans.holding import Hold, held, holds_of
from plans.ids import PhaseId
from plans.model import Phase
from tests.support.views import a_plan

ONE, TWO = PhaseId("1"), PhaseId("2")


def test_s2_8_a_resource_that_phases_mention_is_theirs_alone() -> None:
    phases = (Phase(ONE, resources={"db": 2}), Phase(TWO, resources={"db": 1, "gpu": 1}), Phase(PhaseId("3")))
    plan = a_plan("a", resources={"net": 1, "db": 4}, phases=phases)
    rows = holds_of(plan)
    assert rows == (Hold("db", 2, ONE), Hold("db", 1, TWO), Hold("gpu", 1, TWO), Hold("net", 1))
    assert held(rows) == {"db": 2, "gpu": 1, "net": 1}
    assert held(rows, {"1"}) == {"db": 1, "gpu": 1, "net": 1}
    assert held(rows, {"2"}) == {"db": 2, "net": 1}
    assert held(rows, {"1", "2", "3"}) == {"net": 1}
