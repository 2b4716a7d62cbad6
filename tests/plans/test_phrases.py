"""Phrases know lines by their words in order; no line and no phrase makes them slow."""

from __future__ import annotations

import pytest

from plans.codes import Code
from plans.errors import BadValueError
from plans.phrases import MAX_LINE, MAX_PHRASE, Phrase, Said, even


@pytest.mark.parametrize(
    ("phrase", "line", "said"),
    [
        ("limit reached", "Usage LIMIT reached, sorry", Said()),
        ("limit reached", "limit not reached", None),
        ("limit*resets {when}", "hit your limit · resets 3pm (UTC)", Said("3pm (UTC)")),
        ("limit*resets {when}", "resets 3pm, limit", None),
        ("reached|{when}", "Usage limit reached|1766502000", Said("1766502000")),
        ('"retry": "{when}', even('{\\"retry\\":  \\"37s\\"}'), Said('37s"}')),
        ("İ limit {when} now", "İ LIMIT 15:00 now", Said("15:00 now")),
    ],
)
def test_p17_a_phrase_is_words_in_order(phrase: str, line: str, said: Said | None) -> None:
    assert Phrase.parse(phrase).find(line) == said


@pytest.mark.parametrize(
    "text", ["*", "a*b", "* * {when} *", "{when} is the time", "at {when} or {when} again"]
)
def test_p17_what_would_know_any_line_is_no_phrase(text: str) -> None:
    with pytest.raises(BadValueError) as caught:
        Phrase.parse(text)
    assert caught.value.code == Code.BAD_PHRASE


def test_p17_a_phrase_has_an_end() -> None:
    with pytest.raises(BadValueError):
        Phrase.parse("x" * (MAX_PHRASE + 1))


def test_p17_no_line_makes_a_phrase_slow() -> None:
    """As an expression, ``.*a.*a.*a…b`` would try more ways through this line than there are atoms."""
    phrase = Phrase.parse("a*" * 99 + "b")
    assert phrase.find(even("a" * 10 * MAX_LINE)) is None
    assert len(even("a" * 10 * MAX_LINE)) == MAX_LINE
