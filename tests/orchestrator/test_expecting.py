"""When an entry will have landed: from the checks of late, and what the one at work has taken already."""

from __future__ import annotations

import pytest

from orchestrator.services.expecting import Expected, expected
from orchestrator.store.records import StoredEvent

NOW = "2026-11-28T12:01:00.000Z"


def event(name: str, second: int = 0, **data: object) -> StoredEvent:
    ts = f"2026-11-28T12:00:{second:02}.000Z"
    return StoredEvent(sequence=1, ts=ts, event=name, run=None, plan=None, data={"check": "target", **data})


def finished(seconds: float, **data: object) -> StoredEvent:
    return event("check.finished", seconds=seconds, **{"passed": True, **data})


DONE = [finished(10), finished(30), finished(20)]


@pytest.mark.parametrize(
    ("events", "position", "at_once", "found"),
    [
        ([], 1, 1, None),
        ([finished(9, passed=False), finished(9, ahead=True), finished(9, check="plan")], 1, 1, None),
        (DONE, 1, 1, Expected(20, 20, 3)),
        (DONE, 5, 1, Expected(100, 20, 3)),
        (DONE, 5, 4, Expected(40, 20, 3)),
        ([*DONE, event("check.started", 55)], 1, 1, Expected(15, 20, 3)),
        ([*DONE, event("check.started", 0)], 2, 1, Expected(20, 20, 3)),
        ([*DONE, event("check.started", 55, ahead=True)], 1, 1, Expected(20, 20, 3)),
        ([finished(99), *[finished(1)] * 20], 1, 1, Expected(1, 1, 20)),
    ],
)
def test_p19_the_expected_end_is_that_of_the_checks_before_it(
    events: list[StoredEvent], position: int, at_once: int, found: Expected | None
) -> None:
    assert expected(events, position, at_once, NOW) == found
