from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from plans.errors import PatternSyntaxError
from plans.patterns import (
    MAX_PATTERN_BYTES,
    MAX_PATTERNS,
    MAX_SET_BYTES,
    Pattern,
    PatternSet,
    bracket_literals,
)
from tests.support.campaigns import Record
from tests.support.pathspec import PathspecOracle, odd_glob, odd_paths, random_glob, random_texts, small_paths

TABLE = [
    # literal, and the folder rule
    ("src", "src", True),
    ("src", "src/a.py", True),
    ("src", "src2", False),
    ("src", "a/src", False),
    ("src/", "src/a.py", True),
    ("src/", "src", False),
    ("src/a.py/", "src/a.py", False),
    ("app/[id]", "app/[id]/page.tsx", True),
    ("app/[id]", "app/i", True),
    ("app/[id]/page.tsx", "app/[id]/page.tsx", True),
    ("app/[id]/*", "app/[id]/page.tsx", False),
    ("s*", "src/a.py", False),
    ("s*/", "src/a.py", False),
    # star and question mark stay in their component
    ("*", "a", True),
    ("*", ".hidden", True),
    ("*", "a/b", False),
    ("*.py", "src/a.py", False),
    ("src/*.py", "src/.py", True),
    ("src/*/x", "src/a/x", True),
    ("src/*/x", "src/a/b/x", False),
    ("a*b*c", "aXbYc", True),
    ("a*b*c", "abcb", False),
    ("?", "a", True),
    ("?", "é", False),
    ("??", "é", True),
    ("a?b", "a/b", False),
    # two stars
    ("**", "a/b/c", True),
    ("**/x", "x", True),
    ("**/x", "a/b/x", True),
    ("**/x", "ax", False),
    ("a/**", "a", False),
    ("a/**", "a/b/c", True),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "axb", False),
    ("a/**/**/b", "a/x/b", True),
    ("a/***/b", "a/x/y/b", True),
    ("a/**/", "a/b", False),
    ("**b", "a/b", False),
    ("**b", "ab", True),
    ("a/**b", "a/x/b", False),
    ("*a**", "ab/c", False),
    ("*a**", "xab", True),
    # git cuts off the literal prefix first, and then two stars begin the rest
    ("a**", "a", True),
    ("a**", "ab/c/d", True),
    ("a**/b", "ab", True),
    ("a**/b", "ax/y/b", True),
    ("a**/b", "axb", False),
    ("a**/", "a", True),
    ("a**/**/b", "ab", True),
    # brackets
    ("[ab]c", "bc", True),
    ("[!ab]c", "bc", False),
    ("[^ab]c", "cc", True),
    ("[!a]b", "/b", False),
    ("a[!x]b", "a/b", False),
    ("a[/x]b", "axb", True),
    ("a[/x]b", "a/b", False),
    ("[a-c]", "b", True),
    ("[c-a]", "b", False),
    ("[]]", "]", True),
    ("[]-]", "-", True),
    ("[!]a]", "]", False),
    ("[--0]", ".", True),
    ("[a-]", "-", True),
    ("[[:digit:]]", "7", True),
    ("[[:digit:]-z]", "-", True),
    ("[[:space:]]", "\v", False),
    ("[[:space:]]", "\n", True),
    ("[[:alpha:]]", "é", False),
    ("[[:nope:]]", "n", False),
    ("[[:a]", ":", True),
    ("[a", "[a", True),
    ("[a", "a", False),
    ("[!]", "[!]", True),
    ("x[é]", "x\udcc3", True),
    ("[!a]", "\udcff", True),
]


@pytest.mark.parametrize(("glob", "path", "expected"), TABLE)
def test_table(glob: str, path: str, expected: bool) -> None:
    assert Pattern.parse(glob).matches(path) is expected


def test_table_is_what_git_says(tmp_path: Path) -> None:
    oracle = PathspecOracle(tmp_path / "r", [path for _, path, _ in TABLE if not path.startswith("/")])
    for glob, path, expected in TABLE:
        if path in oracle.paths:
            assert (path in oracle.takes(glob)) is expected, (glob, path)


def test_single_bytes_are_classed_as_git_does(tmp_path: Path) -> None:
    names = [("z" + bytes([n]).decode("utf-8", "surrogateescape")) for n in range(1, 256) if n != ord("/")]
    oracle = PathspecOracle(tmp_path / "r", names)
    assert len(oracle.paths) == 254
    classes = ["alnum", "alpha", "blank", "cntrl", "digit", "graph"]
    classes += ["lower", "print", "punct", "space", "upper", "xdigit"]
    globs = [f"z[[:{name}:]]" for name in classes] + [
        "z[!a-z]",
        "z[é-í]",
        "z[ -~]",
        "z[/-a]",
        "z[!/]",
        "z[a-[:digit:]]",
        "z[[:]a]",
        "z[[::]]",
        "z[a-z-9]",
        "z[[:alpha:][:digit:]-]",
    ]
    for glob in globs:
        pattern = Pattern.parse(glob)
        assert {name for name in names if pattern.matches(name)} == oracle.takes(glob), glob


def compare_small(folder: Path, seed: int, count: int) -> int:
    random_ = random.Random(seed)
    oracle = PathspecOracle(folder, small_paths())
    globs = {random_glob(random_) for _ in range(count)}
    for glob in sorted(globs):
        pattern = Pattern.parse(glob)
        assert {path for path in oracle.paths if pattern.matches(path)} == oracle.takes(glob), glob
    for _ in range(count):
        texts = random_texts(random_, sorted(globs))
        patterns = PatternSet.parse(texts)
        assert {path for path in oracle.paths if patterns.matches(path)} == oracle.takes_all(texts), texts
    return 2 * len(globs) * len(oracle.paths)


def compare_odd(folder: Path, seed: int, count: int) -> int:
    random_ = random.Random(seed)
    oracle = PathspecOracle(folder, odd_paths(random_, 400))
    paths = sorted(oracle.paths)
    done = 0
    while done < count:
        glob = odd_glob(random_, paths)
        try:
            pattern = Pattern.parse(f"!{glob}")  # what follows a '!' is taken as it is
        except PatternSyntaxError:
            continue
        done += 1
        assert {path for path in paths if pattern.matches(path)} == oracle.takes(glob), glob
    return done * len(paths)


def test_s2_6_matching_agrees_with_git_on_small_names(tmp_path: Path) -> None:
    assert compare_small(tmp_path / "r", 1, 150) > 100_000


def test_s2_6_matching_agrees_with_git_on_hostile_names(tmp_path: Path) -> None:
    assert compare_odd(tmp_path / "r", 2, 200) > 50_000


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_matching_agrees_with_git_in_long_campaigns(tmp_path: Path, record_property: Record) -> None:
    cases = compare_small(tmp_path / "small", 11, 6000)
    for number in range(8):
        cases += compare_odd(tmp_path / f"odd{number}", 20 + number, 1000)
    record_property("held", f"matching: {cases} pairs of pattern and path agree with git")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "pattern-empty"),
        ("!", "pattern-empty"),
        ("/etc/passwd", "pattern-absolute"),
        ("!/etc", "pattern-absolute"),
        ("C:/x", "pattern-absolute"),
        ("..", "pattern-parent"),
        ("a/../b", "pattern-parent"),
        ("../b/", "pattern-parent"),
        (".", "pattern-dot"),
        ("./a", "pattern-dot"),
        ("a//b", "pattern-empty-component"),
        ("a//", "pattern-empty-component"),
        ("a\\b", "pattern-backslash"),
        ("a\0b", "pattern-nul"),
        (":(top)a", "pattern-magic"),
        ("a\ud800", "pattern-encoding"),
        ("a" * (MAX_PATTERN_BYTES + 1), "pattern-too-long"),
    ],
)
def test_texts_that_are_no_patterns(text: str, code: str) -> None:
    with pytest.raises(PatternSyntaxError) as caught:
        PatternSet.parse(["src", text])
    error = caught.value
    assert (error.index, error.text, error.code) == (1, text, code)
    assert error.message
    assert "\n" not in str(error)


@pytest.mark.parametrize("texts", [["a"] * (MAX_PATTERNS + 1), ["a" * 1000] * (MAX_SET_BYTES // 1000 + 1)])
def test_lists_are_bounded(texts: list[str]) -> None:
    PatternSet.parse(texts[:-1])
    with pytest.raises(PatternSyntaxError, match="at most") as caught:
        PatternSet.parse(texts)
    assert caught.value.code == "pattern-list-too-long"
    assert caught.value.index == len(texts) - 1


def test_the_last_pattern_that_takes_a_path_decides() -> None:
    patterns = PatternSet.parse(["src/**", "!src/gen/**", "src/gen/keep.py"])
    assert patterns.texts == ("src/**", "!src/gen/**", "src/gen/keep.py")
    assert [patterns.matches(p) for p in ("src/a", "src/gen/b", "src/gen/keep.py", "x")] == [
        True,
        False,
        True,
        False,
    ]
    assert patterns.giving("src/gen/keep.py") == Pattern("src/gen/keep.py")
    assert patterns.giving("src/gen/b") is None
    assert not PatternSet.parse(["!src"]).matches("src")


def test_an_empty_set_is_false_and_sets_are_values() -> None:
    assert not PatternSet()
    assert PatternSet.parse(["a"])
    assert not PatternSet().matches("a")
    assert hash(PatternSet.parse(["a", "!b"])) == hash(PatternSet.parse(["a", "!b"]))
    assert PatternSet.parse(["a", "!b"]) == PatternSet.parse(("a", "!b")) != PatternSet.parse(["!b", "a"])


def test_literal_prefix() -> None:
    prefixes = {t: Pattern.parse(t).literal_prefix for t in ("src/a.py", "!src/a*", "**/x", "a/[b]", "a/?")}
    assert list(prefixes.values()) == ["src/a.py", "src/a", "", "a/", "a/"]


def test_brackets_that_name_an_existing_path_are_found() -> None:
    patterns = PatternSet.parse(
        ["app/[id]/page.tsx", "app/[id]/*.css", "**/[slug]/**", "src/[ab]/*", "x/[y]", "!app/[id]", "plain"]
    )
    existing = ["app/[id]/page.tsx", "web/deep/[slug]/x", "src/a/b", "plain/[z]"]
    assert [p.text for p in bracket_literals(patterns, existing)] == [
        "app/[id]/page.tsx",
        "app/[id]/*.css",
        "**/[slug]/**",
        "!app/[id]",
    ]
    assert bracket_literals(patterns, []) == ()


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("a*" * 500 + "b", "a" * 4000),
        ("*a" * 500 + "*b", "a" * 4000),
        ("**/a/" * 200 + "b", "/".join("a" * 2000)),
        ("**/*a*a*a*/" * 80 + "b", "/".join(["aaaaaa"] * 500)),
        ("[a-z]*" * 160 + "!", "q" * 4000),
        ("?*" * 500 + "b", "a" * 4000),
    ],
)
def test_adversarial_patterns_are_matched_fast(glob: str, path: str) -> None:
    started = time.process_time()
    assert not Pattern.parse(glob).matches(path)
    assert time.process_time() - started < 1.0
