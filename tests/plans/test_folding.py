"""Where case and Unicode forms do not count, against git's own `:(icase)`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from plans.folding import EXACT, Folding
from plans.ids import PlanId
from plans.model import Manifest, Plan
from plans.overlap import find_overlaps
from plans.patterns import Pattern, PatternSet
from tests.support.campaigns import Record
from tests.support.pathspec import PathspecOracle

CASE = Folding(ignore_case=True)
FORM = Folding(precompose=True)
NAMES = ("a", "B", "aB", "Ab", "BA", "b^", ".A", "a.B", "[A]", "é", "É")


def has(folding: Folding, texts: list[str], path: str) -> bool:
    return folding.patterns(PatternSet.parse(texts)).matches(folding.path(path))


@pytest.mark.parametrize(
    ("texts", "path", "expected"),
    [
        (["SRC/*.PY"], "src/a.py", True),
        (["src/**", "!SRC/gen/"], "Src/Gen/x", False),
        (["[A-C]x"], "bX", True),
        (["[!a-c]x"], "Bx", False),
        (["[!a-c]x"], "Dx", True),
        (["[[:upper:]]x"], "ax", True),
        (["[![:upper:]]x"], "ax", False),
        (["[0-F]x"], "ex", True),
        (["[0-F]x"], "_x", False),
        (["[!0-F]x"], "_x", True),
        (["[!0-F]x"], "ex", False),
        (["[]A-C-]x"], "]x", True),
        (["[]A-C-]x"], "-X", True),
        (["[:-[]x"], ":x", True),
        (["app/[ID]/Page.tsx"], "APP/[id]/page.tsx", True),
        (["[A"], "[a", True),
        (["É"], "é", False),
    ],
)
def test_case_does_not_count(texts: list[str], path: str, expected: bool) -> None:
    assert has(CASE, texts, path) is expected


def test_forms_of_a_letter_do_not_count() -> None:
    composed, decomposed = "caf\u00e9/x", "cafe\u0301/x"
    assert has(FORM, [composed], decomposed)
    assert has(FORM, [decomposed], composed)
    assert has(FORM, ["cafe\u0301/*"], composed)
    assert not has(EXACT, [composed], decomposed)
    assert FORM.path("bytes \udcff") == "bytes \udcff"


def test_exact_names_are_left_alone() -> None:
    patterns = PatternSet.parse(["SRC/[A-F]*", "!cafe\u0301"])
    assert EXACT.patterns(patterns) is patterns
    assert EXACT.path("SRC/cafe\u0301") == "SRC/cafe\u0301"


SETS = (
    "[A-B]",
    "[!A-A]",
    "[[:upper:]]",
    "[![:lower:]]",
    "[^B-B.]",
    "[0-B]",
    "[ab]",
    "[!b]",
    "[A-b]",
    "[[:Alpha:]]",
)


def glob(random_: random.Random) -> str:
    """Capitals among the letters, and in sets as ranges and classes: git forgets those that stand alone."""
    pieces = ("a", "B", "A", "b", "?", "*", "*", ".", *random_.sample(SETS, 3))
    names = [
        "**" if random_.random() < 0.2 else "".join(random_.choices(pieces, k=random_.randint(1, 4)))
        for _ in range(random_.choice((1, 2, 2, 3)))
    ]
    return "/".join(name for name in names if name not in {".", ".."}) or "A*"


def compare(folder: Path, seed: int, count: int) -> int:
    random_ = random.Random(seed)
    paths = [*NAMES, *(f"{a}/{b}" for a in NAMES for b in NAMES)]
    oracle = PathspecOracle(folder, paths, magic="glob,icase")
    for _ in range(count):
        text = glob(random_)
        folded = CASE.patterns(PatternSet((Pattern(text),)))
        assert {p for p in oracle.paths if folded.matches(CASE.path(p))} == oracle.takes(text), text
    return count * len(oracle.paths)


def test_folded_patterns_take_what_git_takes_without_case(tmp_path: Path) -> None:
    assert compare(tmp_path / "r", 1, 200) > 20_000


@pytest.mark.stress
def test_folded_patterns_agree_with_git_in_a_long_campaign(tmp_path: Path, record_property: Record) -> None:
    cases = compare(tmp_path / "r", 2, 8000)
    record_property("held", f"case folded: {cases} pairs of pattern and path agree with git")


@pytest.mark.parametrize("seed", range(5))
def test_a_set_that_is_spelt_out_means_the_same(seed: int) -> None:
    """Every byte against the set as it is written, its two cases taken together."""
    random_ = random.Random(seed)
    for _ in range(20):
        inside = "".join(random_.choice("Aa-[!^:z09Z.") for _ in range(random_.randint(1, 6)))
        sign = random_.choice(("", "!"))
        text, plain = f"[{sign}A-C{inside}]x", Pattern(f"[A-C{inside}]x")
        folded = CASE.patterns(PatternSet((Pattern(text),)))
        for value in [*range(1, 0x2F), *range(0x30, 0x80)]:
            path = f"{chr(value)}x"
            cases = (path, f"{chr(value).swapcase()}x")
            taken = any(map(plain.matches, cases)) is not bool(sign)
            assert folded.matches(CASE.path(path)) is taken, (text, path)


def a_plan(name: str, *write: str) -> Plan:
    manifest = Manifest(PatternSet.parse(write), PatternSet())
    return Plan(PlanId(name), name, Path(f"plans/{name}.md"), b"", "", manifest=manifest)


def test_overlaps_without_case_are_shown_as_files_and_patterns_are_written() -> None:
    plans = [
        a_plan("a", "SRC/Models.py", "docs/**"),
        a_plan("b", "src/models*", "!src/x"),
        a_plan("c", "Docs"),
    ]
    assert not find_overlaps(plans, ["Src/models.PY"]).overlaps
    found = find_overlaps(plans, ["Src/models.PY"], folding=CASE).overlaps
    assert [(o.a, o.b, o.witness, o.files, o.patterns) for o in found] == [
        ("a", "b", "Src/models.PY", ("Src/models.PY",), ("SRC/Models.py", "src/models*")),
        ("a", "c", "docs/a", (), ("docs/**", "Docs")),
    ]
