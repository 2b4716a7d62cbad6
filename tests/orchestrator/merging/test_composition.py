"""Which entries are checked together next: pure, so told without git."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.merging.composition import Composition, unit_size
from orchestrator.merging.rates import Outcomes
from orchestrator.planning.cost import LARGEST, batch_size
from orchestrator.planning.model import Rates
from orchestrator.states import EntryState
from orchestrator.store.records import Entry
from plans.project import Method, ProjectSettings, QueuePolicy
from tests.support.records import an_entry

FEW = Rates(failure=0.01)


def line(names: str, **fields: object) -> tuple[Entry, ...]:
    return tuple(an_entry(name, sequence=n, **fields) for n, name in enumerate(names))


def unit(composition: Composition, names: str, size: int = 8) -> str:
    return "".join(entry.id for entry in composition.unit(line(names), size, FEW))


def test_a_batch_is_no_longer_than_one_check_is_to_cover() -> None:
    assert unit(Composition(), "abcdefghij", 4) == "abcd"
    assert unit(Composition(), "abc", 8) == "abc"
    assert unit(Composition(), "abc", 1) == "a"


def test_it_ends_before_one_that_has_to_be_dealt_with_by_itself() -> None:
    found = Composition()
    found.is_apart({"c"})
    assert unit(found, "abcd") == "ab"
    assert unit(found, "cd") == "c"
    for odd in ({"state": EntryState.BLOCKED}, {"method": "squash"}, {"method": "rebase"}):
        a, b, c = line("abc")
        assert found.unit((a, b, replace(c, **odd)), 8, FEW) == (a, b)  # type: ignore[arg-type]
        assert found.unit((replace(a, **odd), b), 8, FEW)[1:] == ()  # type: ignore[arg-type]


def test_red_is_halved_and_what_is_left_of_it_is_known_red_after_a_landing() -> None:
    found = Composition()
    found.is_red(line("abcd"))
    assert unit(found, "abcdef") == "ab"
    found.has_landed({"a", "b"})
    assert unit(found, "cdef") == "c", "the red one is among two"
    found.has_landed({"c"})
    assert unit(found, "def") == "d", "and now it is known which: its own check decides"
    found.is_out("d")
    assert unit(found, "ef") == "ef"


def test_a_red_batch_is_red_in_the_order_that_a_jump_makes_of_it() -> None:
    found = Composition()
    found.is_red(line("abcd"))
    assert unit(found, "dabcef") == "da", "not all four once more"
    found.is_red(line("da"))
    assert unit(found, "adbcef") == "a"
    assert unit(found, "fadbce") == "f", "what was lifted from behind it is by itself"


def test_what_comes_before_a_red_batch_is_not_checked_with_it() -> None:
    found = Composition()
    found.is_red(line("abcd"))
    assert unit(found, "xyabcd") == "xy"
    found.has_landed({"x", "y"})
    assert unit(found, "abcd") == "ab", "still known red: another landing mends nothing"


def test_a_red_batch_of_which_one_is_gone_says_nothing_any_more() -> None:
    found = Composition()
    found.is_red(line("abcd"))
    assert unit(found, "acd") == "acd"
    found.is_red(line("acd"))
    found.forget()
    assert unit(found, "acd") == "acd"


@pytest.mark.parametrize(
    ("changes", "waiting", "size"),
    [
        ({"check": None}, 9, 9),
        ({"check": None}, 99, LARGEST),
        ({"check": None, "require_check": True}, 9, 1),
        ({"check": None, "queue": QueuePolicy.SERIAL}, 9, 1),
        ({"queue": QueuePolicy.SERIAL}, 9, 1),
        ({"method": Method.SQUASH}, 9, 1),
        ({}, 1, 1),
        ({}, 3, 3),
        ({}, 99, batch_size(Outcomes(landed=10_000).rates)),
        ({"check_jobs": 3}, 3, 1),
        ({"check_jobs": 3}, 7, 3),
        ({"check_jobs": 3, "queue": QueuePolicy.BATCH}, 3, 3),
        ({"check_jobs": 9, "pool_max": 1}, 3, 3),
    ],
)
def test_a_check_covers_several_where_checks_are_scarcer_than_entries(
    changes: dict[str, object], waiting: int, size: int
) -> None:
    project = replace(ProjectSettings(check="make"), **changes)  # type: ignore[arg-type]
    slow = Outcomes(landed=10_000, seconds=600.0)
    assert unit_size(project, waiting, slow) == size
    fast = replace(slow, seconds=60.0 * project.checks_at_once / waiting - 0.1)
    quick = 1 if project.check and project.queue is QueuePolicy.AUTO else size
    assert unit_size(project, waiting, fast) == quick, "what takes no minute is not worth a batch"
    assert unit_size(project, waiting, replace(slow, seconds=0.0)) == quick, "nothing is known yet"


def test_rates_follow_what_happens_and_begin_as_usual() -> None:
    usual, seen = Rates(), Outcomes()
    assert seen.rates == usual
    for _ in range(300):
        seen = seen.and_more(landed=1)
    assert seen.rates.failure < usual.failure / 2
    for _ in range(300):
        seen = seen.and_more(refused=1, accidents=1)
    assert seen.rates.failure > 0.8
    assert 0.3 < seen.rates.flake < 0.6
    assert seen.seconds == 0.0
    assert seen.and_more(checks=[8.0, 3.0]).seconds == 7.0
