"""``docs/requirements.md`` names tests that exist, and says nothing is done without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([SP]\d+(?:\.\d+)?) \| (.+) \| (done|partly|later) \| (.*) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[^`]+\.py)::(test_[a-z0-9_]+)`")
ROWS = ROW.findall(TABLE)
NEEDED = (
    *("S0.1", "S0.2", "S0.3", "S0.4", "S0.5", "S1.9", "S1.10", "S1.12", "S2.1", "S2.2", "S2.3", "S2.4"),
    *("S2.5", "S2.6", "S2.7", "S2.9", "S2.12", "P4", "P5", "P11", "P23", "P24", "P25", "P26"),
)
"""The rows that the first version has to prove."""


@cache
def source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def functions_of(path: str) -> dict[str, str]:
    """Name and text of each test function of a file."""
    lines = source(path).splitlines()
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source(path)).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_line_of_the_tables_is_a_row() -> None:
    lines = re.findall(r"^\| [SP]\d.*$", TABLE, re.MULTILINE)
    assert len(ROWS) == len(lines) == 89
    ids = [row[0] for row in ROWS]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("row", "state", "proof"), [(r[0], r[2], r[3]) for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_what_is_done_names_tests_that_exist(row: str, state: str, proof: str) -> None:
    named = TEST.findall(proof)
    assert len(named) == proof.count("::"), "a test is not written as `tests/…py::test_…`"
    assert named or state != "done", f"{row} is done, and no test proves it"
    assert state != "later" or not proof, f"{row} is later, and has a proof"
    for path, name in named:
        assert name in functions_of(path), f"{row}: {path} has no {name}"


@pytest.mark.parametrize("row", NEEDED)
def test_rows_that_are_due_are_done_by_tests_that_know_them(row: str) -> None:
    state, proof = {r[0]: (r[2], r[3]) for r in ROWS}[row]
    assert state == "done"
    word = re.compile(
        rf"(?<![\w.]){re.escape(row)}(?![\w.]*\d)|test_(?:\w+_)?{row.lower().replace('.', '_')}_"
    )
    known = [name for path, name in TEST.findall(proof) if word.search(f"{name} {functions_of(path)[name]}")]
    assert known, f"none of the tests of {row} carries its id"
