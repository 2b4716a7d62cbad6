"""What a plan's text says about the files it will touch (S2.10)."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from plans.document import read_plan
from plans.ids import PlanId
from plans.model import Manifest, Plan
from plans.overlap import find_overlaps
from plans.patterns import PatternSet
from plans.predict import MAX_GUESSES, Guess, Lookup, predict
from plans.tree import FileTree

TREE = FileTree(
    [
        "Makefile",
        "README.md",
        "app/[id]/page.tsx",
        "docs/guide.md",
        "docs/my notes.md",
        "src/auth/model.py",
        "src/auth/tokens.py",
        "src/billing/model.py",
    ]
)


def plan(name: str, body: str, write: list[str] | None = None) -> Plan:
    manifest = None if write is None else Manifest(PatternSet.parse(write))
    source = b"---\nplan: x\n---\n" + body.encode()
    return Plan(PlanId(name), name, Path(f"plans/{name}.md"), source, "", body, manifest=manifest)


def named(body: str) -> dict[str, bool]:
    return {guess.pattern: guess.exists for guess in predict(plan("x", body), Lookup(TREE))}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Change src/auth/tokens.py, then stop.", {"src/auth/tokens.py": True}),
        ("See `docs/my notes.md`.", {"docs/my notes.md": True}),
        ("Rename the method in tokens.py:12.", {"src/auth/tokens.py": True}),
        (
            "Both auth/model.py and **billing/model.py**",
            {"src/auth/model.py": True, "src/billing/model.py": True},
        ),
        ("[the guide](docs/guide.md#L10-L20)", {"docs/guide.md": True}),
        ("Everything in `./src/auth/`", {"src/auth/": True}),
        ("and in src/auth too", {"src/auth/": True}),
        ("Add src/auth/session.py", {"src/auth/session.py": False}),
        ("`src/**/*.py` and src/new*/x.py", {"src/**/*.py": True, "src/new*/x.py": False}),
        ("the page app/[id]/page.tsx", {"app/[id]/page.tsx": True}),
        ("A `Makefile` target", {"Makefile": True}),
        ("```\ncat README.md > docs/copy.md\n```", {"README.md": True, "docs/copy.md": False}),
    ],
)
def test_s2_10_names_of_files_in_the_text_are_guesses(body: str, expected: dict[str, bool]) -> None:
    assert named(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "Change model.py",  # there are two of that name
        "client/server, and/or 1.5 of v2.0.1",
        "https://example.invalid/docs/guide.md",
        "/etc/passwd ../src/auth/model.py a/../../b.py",
        "nowhere/new.py",
        "** * **/* ?",
        "src docs app",
        "!docs/guide.md",
        "the plan itself, plans/x.md",
        "",
    ],
)
def test_s2_10_what_only_looks_like_a_path_is_none(body: str) -> None:
    assert named(body) == {}


def test_s2_10_lines_are_those_of_the_plan_file() -> None:
    text = b"---\nplan: p\ntitle: A\n---\n# A\n\nREADME.md\nREADME.md and docs/guide.md\n"
    read = read_plan(Path("p.md"), text).plan
    assert read is not None
    assert predict(read, Lookup(TREE)) == (
        Guess("README.md", 7, exists=True),
        Guess("docs/guide.md", 8, exists=True),
    )
    read = read_plan(Path("q.yaml"), b"plan: q\nbody: |\n  README.md\n  docs/guide.md\n").plan
    assert read is not None
    assert [guess.line for guess in predict(read, Lookup(TREE))] == [None, None]


def test_s2_10_any_text_ends_in_guesses_that_can_be_compared() -> None:
    random_ = random.Random(10)
    pieces = [
        "src/",
        "docs/guide.md",
        "`",
        "*",
        "[",
        "]",
        "](",
        "..",
        "/",
        "\\",
        ":",
        "é",
        "\0",
        " ",
        "\n",
        "!",
        ".",
    ]
    for _ in range(300):
        body = "".join(random_.choice([*pieces, *string.ascii_letters]) for _ in range(200))
        report = find_overlaps([plan("a", body), plan("b", "", ["**"])], TREE.paths)
        assert set(report.guesses) == ({PlanId("a")} if predict(plan("a", body), Lookup(TREE)) else set())
    many = " ".join(f"src/auth/{'long' * 30}{n}.py" for n in range(3 * MAX_GUESSES))
    report = find_overlaps([plan("a", many), plan("b", many)], TREE.paths)
    assert [len(found) for found in report.guesses.values()] == [MAX_GUESSES] * 2


def test_s2_10_guessed_overlaps_stand_apart_from_declared_ones() -> None:
    plans = [
        plan("a", "Mend src/auth/model.py"),
        plan("b", "as it says", ["src/auth/**"]),
        plan("c", "Also auth/model.py", ["docs/**"]),
        plan("d", "nothing is said"),
    ]
    report = find_overlaps(plans, TREE.paths)
    assert report.overlaps == ()
    assert report.unknown == ("a", "d")
    assert list(report.guesses) == ["a", "c"]
    assert [(o.a, o.b, o.witness) for o in report.possible] == [
        ("a", "b", "src/auth/model.py"),
        ("a", "c", "src/auth/model.py"),
        ("b", "c", "src/auth/model.py"),
    ]
