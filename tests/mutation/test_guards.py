"""``make mutate`` in small: every guard can be taken out, some are, and where no test fails it is told."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from tests.mutation.__main__ import main
from tests.mutation.guards import GUARDS, Edit, Guard, StalePatchError, patched
from tests.mutation.runs import ROOT, Sources

OFTEN = ("compare-and-swap", "flock-asked")
NAMED = (
    "epoch",
    "compare-and-swap",
    "landed-reference",
    "intent",
    "flock-asked",
    "post-check",
    "lease-token",
)
"""What the design names: none of them may go from the list."""


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_can_be_taken_out_and_its_tests_are_there(guard: Guard) -> None:
    for edit in guard.edits:
        text = patched(edit, (ROOT / edit.path).read_text(encoding="utf-8"))
        if edit.path.endswith(".py"):
            ast.parse(text)
    for test in guard.tests:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(encoding="utf-8")


def test_the_table_has_every_guard_and_none_without_a_test() -> None:
    table = (ROOT / "docs/guards.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| .+ \| `(tests/\S+)` \|$", table, re.MULTILINE)
    assert [name for name, _ in rows] == [guard.name for guard in GUARDS]
    for guard, (_, by) in zip(GUARDS, rows, strict=True):
        assert by in {test.partition("[")[0] for test in guard.tests}
    assert {*NAMED} <= {guard.name for guard in GUARDS}


def test_a_patch_that_does_not_fit_exactly_once_is_refused() -> None:
    for text in ("nothing of it", "a guard and a guard"):
        with pytest.raises(StalePatchError):
            patched(Edit("x.py", "a guard", ""), text)


@pytest.mark.skipif(os.name == "nt", reason="the tests of these guards are for POSIX")
@pytest.mark.timeout(300)
def test_without_some_guards_a_test_fails_and_one_that_does_not_care_is_told(tmp_path: Path) -> None:
    sources = Sources(tmp_path)
    guards = {guard.name: guard for guard in GUARDS}
    for name in OFTEN:
        result = sources.without(guards[name])
        assert result.caught, result.said
        assert result.by.partition("[")[0] in guards[name].tests
    careless = Guard("careless", "", guards["epoch"].edits, ("tests/orchestrator/test_queue_order.py",))
    assert sources.without(careless).survived
    for edit in careless.edits:
        assert (sources.root / edit.path).read_text() == (ROOT / edit.path).read_text()


def test_what_is_no_guard_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["no-such-guard"])
    assert "no-such-guard" in capsys.readouterr().err
