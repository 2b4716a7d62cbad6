"""The tables of docs/queue.md are what `planctl simulate` prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.process import run
from tests.support.slices import seldom

DOCUMENT = Path(__file__).parents[2] / "docs/queue.md"


def blocks() -> dict[str, str]:
    """Each command with what is shown below it, without the indent."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.findall(r"^    \$ planctl (simulate .*)\n((?:    .*\n|\n(?=    ))+)", text, re.MULTILINE)
    return {command: re.sub(r"^    ", "", shown, flags=re.MULTILINE) for command, shown in found}


def test_the_document_has_small_tables_and_that_of_the_recipe() -> None:
    """Without this the tests below could be empty."""
    assert len(blocks()) == 4
    assert sum("--changes 1000" in command for command in blocks()) == 1


def rows(command: str) -> list[object]:
    return seldom(command) if "--changes 1000" in command or "--failure 0.2" in command else [command]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", [row for command in blocks() for row in rows(command)])
def test_each_table_is_what_its_command_prints(command: str, tmp_path: Path) -> None:
    done = run(*shlex.split(command), cwd=tmp_path, timeout=1700)
    assert done.code == 0, done.err
    assert done.out.rstrip() == blocks()[command].rstrip()


def test_a_seeded_slice_of_the_large_table_needs_few_checks(tmp_path: Path) -> None:
    """The same recipe with fewer changes and one seed, by the command of the document."""
    (large,) = (command for command in blocks() if "--changes 1000" in command)
    argv = [*shlex.split(large.replace("--changes 1000", "--changes 150")), "--seeds", "1", "--csv"]
    done = run(*argv, cwd=tmp_path)
    assert done.code == 0, done.err
    lines = [line.split(",") for line in done.out.splitlines()]
    read = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[1:]}
    assert float(read["auto"]["p95"]) <= 1.5 * float(read["oracle"]["p95"])
    assert float(read["auto"]["checks"]) <= 5
    assert float(read["serial"]["p95"]) > float(read["lanes"]["p95"]) > float(read["auto"]["p95"])
