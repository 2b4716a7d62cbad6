"""JSON as text: places are right, and the two edits are each other's inverse, whatever the layout."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.jsontext import NotJsonError, appended, closes_itself, parsed, removed

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
TRIVIA = (
    "",
    "",
    " ",
    "\n",
    "\n  ",
    "\t",
    "\r\n",
    " // one\n",
    "/* two */",
    "/*\n * three\n */",
    ' // "{,}\n  ',
)


def laid_out(value: Any, chance: random.Random) -> str:
    """JSON of ``value`` with white space, comments and trailing commas anywhere."""

    def some() -> str:
        return chance.choice(TRIVIA)

    def text_of(value: Any) -> str:
        if isinstance(value, list):
            parts = [some() + text_of(one) + some() for one in value]
            return f"[{joined(parts)}]"
        if isinstance(value, dict):
            parts = [
                f"{some()}{json.dumps(k)}{some()}:{some()}{text_of(v)}{some()}" for k, v in value.items()
            ]
            return f"{{{joined(parts)}}}"
        return json.dumps(value, ensure_ascii=chance.random() < 0.5)

    def joined(parts: list[str]) -> str:
        return ",".join(parts) + chance.choice((",", "")) + some() if parts else some()

    return some() + text_of(value) + some()


@given(VALUES)
def test_plain_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)):
        assert parsed(text).value == json.loads(text)


@given(VALUES, st.randoms(use_true_random=False))
def test_any_layout_says_the_same(value: Any, chance: random.Random) -> None:
    text = laid_out(value, chance)
    node = parsed(text)
    assert node.value == value
    assert parsed(text[node.start : node.end]).value == value


@given(VALUES, VALUES, st.randoms(use_true_random=False))
def test_what_was_appended_is_removed_without_a_trace(value: Any, new: Any, chance: random.Random) -> None:
    text = laid_out({"first": value} if chance.random() < 0.7 else value, chance)
    if chance.random() < 0.3:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    node = parsed(text)
    key = "new key" if isinstance(node.value, dict) else None
    if not isinstance(node.value, dict | list):
        return
    alone = closes_itself(text, node)
    longer = appended(text, node, new, key)
    again = parsed(longer)
    assert again.value == ({**node.value, "new key": new} if key else [*node.value, new])
    assert removed(longer, again, len(again.items) - 1, closed_itself=alone) == text


@given(st.lists(SCALARS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_any_element_can_be_removed_and_comments_stay(value: list[Any], chance: random.Random) -> None:
    text = laid_out(value, chance)
    at = chance.randrange(len(value))
    shorter = removed(text, parsed(text), at)
    assert parsed(shorter).value == value[:at] + value[at + 1 :]
    for comment in ("// one", "/* two */", "* three"):
        assert shorter.count(comment) == text.count(comment)


def test_layout_of_neighbours_is_followed() -> None:
    text = '{\n\t"a": [\n\t\t1 // one\n\t]\n}\n'
    node = parsed(text).get("a")
    assert node is not None
    assert (
        appended(text, node, {"b": 2}) == '{\n\t"a": [\n\t\t1, // one\n\t\t{\n\t\t\t"b": 2\n\t\t}\n\t]\n}\n'
    )


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("{", 1, 2),
        ('{"a": 1 "b": 2}', 1, 9),
        ("{'a': 1}", 1, 2),
        ("[1,,2]", 1, 4),
        ("[,]", 1, 2),
        ('{\n  "a" 1\n}', 2, 7),
        ('{"a": tru}', 1, 7),
        ("[1] 2", 1, 5),
        ('"\n"', 1, 1),
        ("/* open", 1, 1),
        ("[" * 200 + "]" * 200, 1, 101),
    ],
)
def test_what_is_no_json_is_said_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(NotJsonError) as raised:
        parsed(text)
    assert (raised.value.line, raised.value.column) == (line, column)


def test_of_two_members_of_one_name_the_last_counts() -> None:
    node = parsed('{"a": 1, "a": 2}').get("a")
    assert node is not None
    assert node.value == 2
