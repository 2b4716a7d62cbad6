from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from plans.errors import UndecidedPatternsError
from plans.intersect import Witness, witness
from plans.patterns import PatternSet
from tests.support.campaigns import Record
from tests.support.pathspec import PathspecOracle, random_glob, random_texts, small_paths

Pair = tuple[list[str], list[str]]


def ask(a: Sequence[str], b: Sequence[str]) -> Witness | None:
    return witness(PatternSet.parse(a), PatternSet.parse(b))


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        (["src/a*.py"], ["src/*b.py"], "src/ab.py"),
        (["src/**/test_*.py"], ["src/api/**"], "src/api/test_.py"),
        (["**/models.py"], ["app/**"], "app/models.py"),
        (["docs/*.md"], ["docs/guide*"], "docs/guide.md"),
        (["src/*/x.py"], ["src/a/*.py"], "src/a/x.py"),
        (["**/*.sql"], ["migrations/00*"], "migrations/00.sql"),
        (["src/[ab]/*"], ["src/[bc]/*"], "src/b/a"),
        (["src/*.py"], ["src/*"], "src/a.py"),
        (["src"], ["src/"], "src/a"),
        (["**"], ["**"], "a"),
        (["a**/b"], ["*"], "ab"),
        (["src/**", "!src/gen/**"], ["src/g*/**"], "src/g/a"),
        (["src/**", "!src/gen/**", "src/gen/keep.py"], ["src/gen/*"], "src/gen/keep.py"),
        (["app/[id]/page.tsx"], ["app/[id]"], "app/[id]/page.tsx"),
        (["*git"], [".?*"], "..git"),
        (["é*"], ["?\udca9"], "é"),
        (["nothing", "a/b", "c"], ["x", "a"], "a/b"),
    ],
)
def test_p1_pairs_that_share_a_path(a: list[str], b: list[str], path: str) -> None:
    found = ask(a, b)
    assert found is not None
    assert found.path == path
    assert found.pattern_a in a
    assert found.pattern_b in b


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["src"], ["sr"]),
        (["src/*"], ["src/*/x"]),
        (["*.py"], ["*.md"]),
        (["src/**", "!src/gen/**"], ["src/gen/**"]),
        (["src/**", "!src/**/*.md"], ["**/*.md"]),
        (["**", "!*"], ["?"]),
        (["**", "![a-m]*"], ["*", "![!a-m]*"]),
        ([], ["**"]),
        (["!a"], ["**"]),
        (["a/**/", "s*/", "[a"], ["[!x[]/b", "s/x", "a"]),
    ],
)
def test_p1_pairs_that_share_no_path(a: list[str], b: list[str]) -> None:
    assert ask(a, b) is None
    assert ask(b, a) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([".git/**"], ["**"]),
        (["**/.GIT"], ["**"]),
        ([".git*"], [".g?t"]),
        (["git~1"], ["git*"]),
        ([".git. "], ["**"]),
        (["[.]", "[.][.]", "x/[.]"], ["?", "??", "x/?"]),
        (["a?b"], ["a[/*?]b"]),
    ],
)
def test_paths_that_no_tree_can_hold_are_no_overlap(a: list[str], b: list[str]) -> None:
    assert ask(a, b) is None


def small_pool(random_: random.Random, count: int) -> list[str]:
    return sorted({random_glob(random_) for _ in range(count)})


def compare(folder: Path, seed: int, pool_size: int, pairs: int) -> dict[str, int]:
    """Every answer against git: what it matches among all small paths, and at the witnesses."""
    random_ = random.Random(seed)
    pool = small_pool(random_, pool_size)
    small = PathspecOracle(folder / "small", small_paths())
    counts = {
        "pairs": pairs,
        "overlap": 0,
        "none": 0,
        "witness beyond the small paths": 0,
        "with exclusions": 0,
    }
    witnessed: list[tuple[Pair, Witness]] = []
    for _ in range(pairs):
        pair = random_texts(random_, pool), random_texts(random_, pool)
        found = ask(*pair)
        shared = small.takes_all(pair[0]) & small.takes_all(pair[1])
        counts["with exclusions"] += any(text.startswith("!") for text in (*pair[0], *pair[1]))
        if found is None:
            assert not shared, (pair, sorted(shared)[:3])
            counts["none"] += 1
        else:
            witnessed.append((pair, found))
            counts["overlap"] += 1
            counts["witness beyond the small paths"] += not shared
    proof = PathspecOracle(folder / "proof", [found.path for _, found in witnessed])
    for pair, found in witnessed:
        assert found.path in proof.takes_all(pair[0]) & proof.takes_all(pair[1]), (pair, found)
        assert found.path in proof.takes(found.pattern_a) & proof.takes(found.pattern_b), (pair, found)
        assert found.pattern_a in pair[0]
        assert found.pattern_b in pair[1]
    return counts


def test_p1_intersection_agrees_with_git_by_brute_force(tmp_path: Path) -> None:
    counts = compare(tmp_path, seed=7, pool_size=150, pairs=500)
    assert min(counts["overlap"], counts["none"], counts["with exclusions"]) > 100, counts


@pytest.mark.stress
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(20))
def test_p1_intersection_agrees_with_git_on_200_000_pairs(
    tmp_path: Path, seed: int, record_property: Record
) -> None:
    counts = compare(tmp_path, seed, pool_size=600, pairs=10_000)
    record_property("held", f"intersection agrees with git: {counts}")


ADVERSARIAL: list[Pair] = [
    (["a*" * 500 + "b"], ["*a" * 500 + "c"]),
    (["a*" * 500], ["*a" * 500]),
    (["**/a/" * 200 + "x"], ["**/b/" * 200 + "y"]),
    (["**/a/" * 200 + "x"], ["**/b/" * 200 + "x"]),
    (["**/a*b/" * 120 + "x"], ["**/*a/b*/" * 100 + "x"]),
    (["[a-y]*" * 160 + "z"], ["[!a]*" * 200 + "y"]),
    (["**", "!*a" + "?" * 500], ["**/*a" + "?" * 500]),
    (["**", *("!" + "?" * n for n in range(1, 100))], ["*"]),
    (["**", *("!*a" + "?" * n + "*" for n in range(1, 40))], ["*a*"]),
    (["*", *(f"!*{c}*" for c in "abcdefghijklmnopqrstuvwxyz0123456789")], ["[a-z0-9]*"]),
    ([f"**/*{n}*a*x" for n in range(1000)], [f"**/*{n}*b*y" for n in range(1000)]),
    ([f"**/*{n}*a*x" for n in range(1000)], [f"**/*{n}*b*x" for n in range(1000)]),
    (["a*", "!a*"] * 500, ["a*b", "!a*b"] * 500),
    (["a*", "!a?*"] * 500, ["a*b", "!a*?b"] * 500),
    ([f"{n}*" for n in range(500)] + [f"!{n}*" for n in range(500)], ["*"] * 500 + ["!*0"] * 500),
    (["x/a*" * 250 + str(n) for n in range(30)], ["**/*a" * 200 + str(n) for n in range(30, 60)]),
]


@pytest.mark.parametrize("number", range(len(ADVERSARIAL)))
def test_adversarial_sets_end_within_a_second(number: int) -> None:
    a, b = (PatternSet.parse(texts) for texts in ADVERSARIAL[number])
    started = time.process_time()
    try:
        found = witness(a, b)
    except UndecidedPatternsError:
        found = None
    assert time.process_time() - started < 1.0
    if found is not None:
        assert a.matches(found.path)
        assert b.matches(found.path)


def formula(variables: int, clauses: int, seed: int) -> list[str]:
    """A random 3-SAT formula: a path is an assignment, an exclusion all that break a clause."""
    random_ = random.Random(seed)
    texts = ["[01]" * variables, "![[]*"]
    for _ in range(clauses):
        letters = ["?"] * variables
        for place in random_.sample(range(variables), 3):
            letters[place] = random_.choice("01")
        texts.append("!" + "".join(letters))
    return texts


def test_what_cannot_be_decided_in_time_is_said_and_not_guessed() -> None:
    easy = ask(formula(8, 12, 1), ["**"])
    assert easy is not None
    assert len(easy.path) == 8
    for seed in range(2):
        started = time.process_time()
        with pytest.raises(UndecidedPatternsError):
            ask(formula(60, 256, seed), ["**"])
        assert time.process_time() - started < 1.0


def test_a_pair_of_fifty_patterns_takes_milliseconds() -> None:
    random_ = random.Random(3)
    words = ["auth", "core", "api", "models", "views", "tests", "utils", "db", "web", "cli", "docs", "jobs"]

    def some(side: str) -> list[str]:
        kinds = ("src/{}/{}/*.py", "src/{}/{}/**", "tests/{}/test_{}_*.py", "{}/**/{}*.md", "lib/{}/{}.c")
        filled = (random_.choice(kinds).format(*random_.choices(words, k=2)) for _ in range(50))
        return [f"{side}/{text}" if random_.random() < 0.9 else f"{text}.{side}" for text in filled]

    times = []
    for _ in range(21):
        pair = PatternSet.parse(some("a")), PatternSet.parse(some("b"))
        started = time.process_time()
        witness(*pair)
        times.append(time.process_time() - started)
    assert sorted(times)[10] < 0.02  # the target is 5 ms on a machine of its own; the benchmark holds that


def test_the_answer_does_not_depend_on_the_process() -> None:
    pairs = [
        (["**/*.py", "src/[a-z]*/**", "!src/x*"], ["s*/**", "*/b?/*", "![!s]*"]),
        (["**"], ["[^a]*/?", "!b/*"]),
    ]
    script = (
        "import sys; from plans.intersect import witness; from plans.patterns import PatternSet as P\n"
        f"for a, b in {pairs!r}: print(witness(P.parse(a), P.parse(b)))"
    )
    expected = "".join(f"{ask(a, b)}\n" for a, b in pairs)
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == expected
