"""``docs/invariants.md`` has every invariant, and names tests of it that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs/invariants.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([SL]\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", TABLE, re.MULTILINE)
TEST = re.compile(r"`(tests/[^`]+\.py)::(test_[a-z0-9_]+)`")
IDS = [*(f"S{number}" for number in range(1, 17)), *(f"L{number}" for number in range(1, 6))]


def test_every_invariant_is_a_row_and_every_row_an_invariant() -> None:
    assert [row[0] for row in ROWS] == IDS
    assert len(re.findall(r"^\| [SL]\d", TABLE, re.MULTILINE)) == len(IDS)


@pytest.mark.parametrize(("row", "proof"), [(r[0], r[3]) for r in ROWS], ids=[r[0] for r in ROWS])
def test_an_invariant_names_tests_that_exist_and_carry_its_name(row: str, proof: str) -> None:
    named = TEST.findall(proof)
    assert named
    assert len(named) == proof.count("::"), "a test is not written as `tests/…py::test_…`"
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path} has no {name}"
    assert [name for _, name in named if re.match(rf"test_(?:[a-z]\d+_)*{row.lower()}_", name)]


def test_tests_that_carry_the_name_of_an_invariant_are_of_one_that_there_is() -> None:
    known = {row.lower() for row in IDS}
    for path in (ROOT / "tests/orchestrator").rglob("test_*.py"):
        for names in re.findall(r"def test_((?:[sl]\d+_)+)(?!\d)", path.read_text(encoding="utf-8")):
            for name in names.strip("_").split("_"):
                assert name in known, f"{path.name}: {name}"
