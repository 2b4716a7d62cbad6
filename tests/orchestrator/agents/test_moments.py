"""When programs mean by what they print: every shape, places, days, and what is no time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.agents.moments import moment

SAID = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-07-04T15:00:00Z", "07-04T15:00:00"),
        ("2026-07-04 17:00+02:00", "07-04T15:00:00"),
        ("1783177200", "07-04T15:00:00"),
        ("1783177200000", "07-04T15:00:00"),
        ('1783177200,"x":1', "07-04T15:00:00"),
        ("Wed, 08 Jul 2026 07:28:00 GMT", "07-08T07:28:00"),
        ("3pm (UTC)", "07-04T15:00:00"),
        ("at 3:10 PM UTC.", "07-04T15:10:00"),
        ("15:00 UTC", "07-04T15:00:00"),
        ("3pm (Europe/Berlin)", "07-04T13:00:00"),
        ("12:50am (America/Los_Angeles)", "07-05T07:50:00"),
        ("11:30am (UTC)", "07-04T11:30:00"),  # half an hour ago, and not in 23 and a half
        ("10am (UTC)", "07-05T10:00:00"),
        ("Oct 9 at 5pm (Europe/Berlin)", "10-09T15:00:00"),
        ("Jul 5th, 2026 8:19 PM (UTC)", "07-05T20:19:00"),
        ("20s", "07-04T12:00:20"),
        ("in 6m0s", "07-04T12:06:00"),
        ("37.5s", "07-04T12:00:37.500000"),
        ("1h30m", "07-04T13:30:00"),
        ("5 days 22 hours 11 minutes.", "07-10T10:11:00"),
        ("500 milliseconds", "07-04T12:00:00.500000"),
        (" 120", "07-04T12:02:00"),
        ('13872},"a"', "07-04T15:51:12"),
    ],
)
def test_p17_a_time_in_every_shape(text: str, when: str) -> None:
    found = moment(text, SAID)
    assert found is not None
    assert found.isoformat() == f"2026-{when}+00:00"


def test_p17_a_date_without_a_year_may_be_of_the_next() -> None:
    december = datetime(2026, 12, 30, 12, 0, tzinfo=UTC)
    assert moment("Jan 2 at 9am (UTC)", december) == datetime(2027, 1, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "10 de jul. de 2026, 11:52",
        "25:99",
        "13pm (UTC)",
        "Feb 30 at 3pm (UTC)",
        "3pm (Nowhere/City)",
        "3pm (Europe)",
        "9" * 30,
        "9999-99-99T00:00:00Z",
        "9999999 weeks",
    ],
)
def test_p17_what_is_no_time_is_none(text: str) -> None:
    assert moment(text, SAID) is None
