"""Arrivals that were recorded: what a file may say, what is drawn in its place, what is refused."""

from __future__ import annotations

import pytest

from orchestrator.simulation.recorded import RecordedError, read_recorded, share_failed
from orchestrator.simulation.workload import Recipe, Recorded, draw

FULL = """arrives,id,seconds,outcome,priority,meets
2026-03-01T10:00:00Z,a,60,passed,50,
2026-03-01T10:01:00Z,c,45.5,failed,80,a b
2026-03-01T10:00:30+00:00,b,,,,a
"""


def test_changes_are_sorted_by_arrival_and_begin_at_nought() -> None:
    assert read_recorded(FULL.splitlines()) == (
        Recorded(0.0, "a", 60.0, True, 50, frozenset()),
        Recorded(30.0, "b", None, None, None, frozenset({"a"})),
        Recorded(60.0, "c", 45.5, False, 80, frozenset({"a", "b"})),
    )


def test_what_is_not_recorded_is_drawn_and_what_is_stands() -> None:
    recorded = read_recorded(FULL.splitlines())
    changes = draw(Recipe(recorded=recorded, failure=1.0, priorities=(7,)), 0)
    assert [(c.id, c.arrives, c.sound, c.priority) for c in changes] == [
        ("a", 0.0, True, 50),
        ("b", 30.0, False, 7),
        ("c", 60.0, False, 80),
    ]
    assert changes[0].seconds == 60
    assert changes[1].seconds >= 300
    assert changes[2].meets == {"a", "b"}


def test_arrivals_alone_are_enough() -> None:
    changes = draw(Recipe(recorded=read_recorded(["arrives", "10", "4.5"]), meets=1.0), 0)
    assert [(c.id, c.arrives) for c in changes] == [("c0", 0.0), ("c1", 5.5)]
    assert changes[1].meets == {"c0"}


def test_the_share_that_failed_is_that_of_the_known_ones() -> None:
    assert share_failed(read_recorded(FULL.splitlines())) == 0.5
    assert share_failed(read_recorded(["arrives", "1"])) is None


@pytest.mark.parametrize(
    ("text", "line", "fact"),
    [
        ("", 1, "there is no column 'arrives'"),
        ("id\na", 1, "there is no column 'arrives'"),
        ("arrives,when\n1,2", 1, "there is no column 'when'"),
        ("arrives", 1, "there is no change in it"),
        ("arrives\nsoon", 2, "Invalid isoformat string: 'soon'"),
        ("arrives\ninf", 2, "'inf' is no time"),
        ("arrives,seconds\n1,-3", 2, "'-3' is no duration"),
        ("arrives,seconds\n1,nan", 2, "'nan' is no duration"),
        ("arrives,outcome\n1,red", 2, "an outcome is passed or failed"),
        ("arrives,priority\n1,high", 2, "invalid literal for int"),
        ("arrives,id\n1,a\n2,a", 3, "'a' is there twice"),
        ("arrives,id\n1,c1\n2,", 3, "'c1' is there twice"),
        ("arrives,id,meets\n1,a,b\n2,b,", 2, "meets 'b', which is none of the earlier ones"),
        ("arrives\n1,2", 2, "more fields than the first line"),
        ('arrives\n"1', 2, "unexpected end of data"),
    ],
)
def test_a_file_that_does_not_say_what_it_has_to_is_refused(text: str, line: int, fact: str) -> None:
    with pytest.raises(RecordedError, match=fact.replace("'", ".")) as caught:
        read_recorded(text.splitlines())
    assert caught.value.line == line
