"""Plain patterns are a shorter way to the same answer: they agree with wildmatch's regular expressions."""

from __future__ import annotations

import random
import re

import pytest

from plans.agreeing import Agreeing
from plans.patterns import Pattern, PatternSet
from plans.plain import plain
from plans.tree import FileTree
from plans.wildmatch import expression, literal_shape, wild_shapes
from tests.support.pathspec import random_glob, small_paths

GLOBS = (
    *(
        "a",
        "a/",
        "a/b",
        "a/**",
        "**",
        "**/**",
        "a/**/**",
        "**/*",
        "**/a",
        "a/**/b",
        "*",
        "a*",
        "*a",
        "a/*",
        "a/a*b",
    ),
    *(
        "a/a*b",
        "a/**/*",
        "a/*b",
        "**/a*",
        "**/*b",
        "a/**/a*b",
        "ab/**/*.b",
        "a/b/**/*a",
        "*/a",
        "a/*/b",
        "a/b*",
    ),
)
ODD = ("a/*", "a/*b", "a/*b/c", "*", "*/a", "**", "a*b", "**/a", "a/**/b", "a/**/b/c", "a/*/x", "a/a*b/q")
"""Names that hold what is a wildcard in a pattern."""


def by_expression(glob: str) -> re.Pattern[bytes]:
    shapes = (literal_shape(glob.encode()), *wild_shapes(glob.encode()))
    return re.compile(b"|".join(map(expression, shapes)), re.DOTALL)


def some_globs(seed: int) -> list[str]:
    random_ = random.Random(seed)
    drawn = {random_glob(random_) for _ in range(4000)}
    return sorted(glob for glob in {*GLOBS, *drawn} if plain(glob) is not None)


def test_s2_6_a_plain_pattern_takes_what_its_regular_expression_takes() -> None:
    paths = [*small_paths()[:3000:3], *ODD]
    globs = some_globs(8)
    assert len(globs) > 90
    for glob in globs:
        kind, slow = plain(glob), by_expression(glob)
        assert kind is not None
        wrong = [path for path in paths if kind.matches(path) != bool(slow.fullmatch(path.encode()))]
        assert wrong == [], glob


def test_s2_6_the_files_of_a_plain_pattern_are_those_of_its_expression() -> None:
    tree = FileTree([*small_paths()[:3000:3], *ODD])
    for glob in some_globs(9):
        slow = by_expression(glob)
        expected = {n for n, path in enumerate(tree.paths) if slow.fullmatch(path.encode())}
        assert tree.matching(PatternSet((Pattern(glob),))) == expected, glob


def test_s2_6_what_lies_in_a_folder_called_as_the_pattern_is_found_where_names_are_quicker() -> None:
    tree = FileTree(["a/**/b/c", *(f"a/x{n}" for n in range(9)), "z/b"])
    assert [tree.paths[n] for n in tree.matching(PatternSet((Pattern("a/**/b"),)))] == ["a/**/b/c"]


def test_what_all_last_names_of_a_pattern_begin_and_end_with() -> None:
    for glob in some_globs(10):
        kind, slow = plain(glob), by_expression(glob)
        assert kind is not None
        if kind.ends is not None:
            names = (p.rpartition("/")[2] for p in small_paths() if slow.fullmatch(p.encode()))
            assert all(n.startswith(kind.ends[0]) and n.endswith(kind.ends[1]) for n in names), glob


@pytest.mark.parametrize(
    "glob", ["é", "a?", "[ab]", "a/*/b", "*a*", "a/**/b/c*", "a**", "x**/b", "a/*/", "a/**/"]
)
def test_everything_else_is_left_to_the_expressions(glob: str) -> None:
    assert plain(glob) is None


def test_texts_that_agree_are_found_each_once() -> None:
    random_ = random.Random(3)
    texts = sorted({"".join(random_.choice("ab") for _ in range(random_.randint(0, 5))) for _ in range(60)})
    index = Agreeing[list[str]](list)
    for text in texts:
        index.at(text).append(text)
    for text in ["", "a", "ab", "bbabb", *texts]:
        found = [value for values in index.agreeing(text) for value in values]
        assert sorted(found) == [t for t in texts if t.startswith(text) or text.startswith(t)]
