"""JSON with comments, edited as text: what is not touched keeps its bytes.

A reader that gives each value its place in the text, and two edits that are each other's inverse:
``removed(appended(text))`` is ``text``, whatever its layout. Comments, trailing commas and a byte order mark
are taken as they are found; whether the program that owns the file takes them is its business.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n\ufeff]+)"
    r"|(?P<comment>//[^\r\n]*|/\*(?s:.*?)\*/)"
    r'|(?P<string>"(?:[^"\\\x00-\x1f]|\\[^\r\n])*")'
    r"|(?P<mark>[{}\[\]:,])"
    r'|(?P<word>[^\s"{}\[\]:,/]+)'
)
_REST_OF_LINE: Final = re.compile(r"(?:[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/))*")
_INDENTED: Final = re.compile(r"\n([ \t]+)\S")
_DEEPEST: Final = 100


class NotJsonError(ValueError):
    """The text is not JSON; ``line`` and ``column`` say from where on."""

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        super().__init__(f"line {line}, column {column}: this is not JSON")


@dataclass(frozen=True, slots=True)
class Node:
    """A value: where it stands, what it says, and if it is a list or an object, what is in it."""

    start: int
    end: int
    value: Any
    items: tuple[Item, ...] = ()

    def get(self, key: str) -> Node | None:
        """The value of a member of an object; of two members of one name the last counts."""
        return next((item.node for item in reversed(self.items) if item.key == key), None)


@dataclass(frozen=True, slots=True)
class Item:
    """An element, or a member with its key.

    ``lead`` is where the white space before it begins, ``after_line`` whether that is behind a comment which
    only the end of its line ends; ``comma`` is the place of the comma behind it, if any.
    """

    lead: int
    after_line: bool
    start: int
    key: str | None
    node: Node
    comma: int | None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    start: int
    end: int
    lead: int
    after_line: bool


def parsed(text: str) -> Node:
    """The one value of ``text``; raises :class:`NotJsonError`."""
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenized()
        self._at = 0

    def whole(self) -> Node:
        node = self._value(_DEEPEST)
        if self._at < len(self._tokens):
            self._fail(self._tokens[self._at].start)
        return node

    def _tokenized(self) -> list[_Token]:
        tokens, place, lead, line = [], 0, 0, False
        while place < len(self._text):
            found = _TOKEN.match(self._text, place)
            if found is None or found.lastgroup is None:
                self._fail(place)
            if found.lastgroup not in ("space", "comment"):
                tokens.append(_Token(found.lastgroup, place, found.end(), lead, line))
            if found.lastgroup != "space":
                lead, line = found.end(), found[0].startswith("//")
            place = found.end()
        return tokens

    def _value(self, depth: int) -> Node:
        token = self._next()
        word = self._text[token.start : token.end]
        if word in ("{", "[") and depth:
            return self._container(token, "}" if word == "{" else "]", depth - 1)
        return Node(token.start, token.end, self._scalar(token, word))

    def _scalar(self, token: _Token, word: str) -> Any:
        try:
            return json.loads(word)
        except ValueError:
            self._fail(token.start)

    def _container(self, opening: _Token, closer: str, depth: int) -> Node:
        items: list[Item] = []
        while not self._is(closer):
            if items and items[-1].comma is None:
                self._fail(self._peek().start)
            items.append(self._item(depth, keyed=closer == "}"))
        end = self._next().end
        pairs = [(item.key, item.node.value) for item in items]
        value = dict(pairs) if closer == "}" else [value for _, value in pairs]
        return Node(opening.start, end, value, tuple(items))

    def _item(self, depth: int, *, keyed: bool) -> Item:
        first, key = self._peek(), None
        if keyed:
            token = self._next()
            if token.kind != "string":
                self._fail(token.start)
            key = self._scalar(token, self._text[token.start : token.end])
            if not self._is(":"):
                self._fail(self._peek().start)
            self._next()
        node = self._value(depth)
        comma = self._next().start if self._is(",") else None
        return Item(first.lead, first.after_line, first.start, key, node, comma)

    def _is(self, mark: str) -> bool:
        token = self._peek()
        return token.kind == "mark" and self._text[token.start] == mark

    def _peek(self) -> _Token:
        if self._at == len(self._tokens):
            self._fail(len(self._text))
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _fail(self, place: int) -> NoReturn:
        before = self._text[:place]
        raise NotJsonError(before.count("\n") + 1, place - (before.rfind("\n") + 1) + 1)


def closes_itself(text: str, container: Node) -> bool:
    """Whether nothing but white space with a line break is in it: then that brings the closer to its line."""
    inner = text[container.start + 1 : container.end - 1]
    return not container.items and "\n" in inner and not inner.strip(" \t\r\n")


def appended(text: str, into: Node, value: Any, key: str | None = None) -> str:
    """``text`` with ``value`` at the end of the container ``into``, laid out as its neighbours are."""
    newline, close = _newline(text), _indent_at(text, into.start)
    indent = _indent_within(text, into, close)
    written = _written(text, value, key, newline + indent)
    if not into.items:
        tail = "" if closes_itself(text, into) else newline + close
        return text[: into.start + 1] + newline + indent + written + tail + text[into.start + 1 :]
    last = into.items[-1]
    end = last.node.end if last.comma is None else last.comma + 1
    place = _end_of(_REST_OF_LINE, text, end)
    if last.comma is None:
        return text[:end] + "," + text[end:place] + newline + indent + written + text[place:]
    return text[:place] + newline + indent + written + "," + text[place:]


def removed(text: str, container: Node, at: int, *, closed_itself: bool = True) -> str:
    """``text`` without the item at index ``at``; ``closed_itself`` as it was said before it was appended.

    Comments stay, those beside the item too.
    """
    item = container.items[at]
    rest = text[item.node.end :]
    if item.comma is not None:
        rest = text[item.node.end : item.comma] + text[item.comma + 1 :]
    tail = _newline(text) + _indent_at(text, container.start)
    if len(container.items) == 1 and not closed_itself and rest.startswith(tail):
        rest = rest[len(tail) :]
    # the break after a comment of one line stays: what follows must not become part of it
    kept = item.start if item.after_line and not rest.startswith(("\n", "\r\n")) else item.lead
    before = container.items[at - 1].comma if at and item.comma is None else None
    if before is not None:
        return text[:before] + text[before + 1 : kept] + rest
    return text[:kept] + rest


def _written(text: str, value: Any, key: str | None, line: str) -> str:
    unit = _unit(text)
    plain = json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", line)
    return plain if key is None else f"{json.dumps(key)}: {plain}"


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _unit(text: str) -> str:
    found = _INDENTED.search(text)
    return found[1] if found else "  "


def _indent_within(text: str, into: Node, close: str) -> str:
    if into.items:
        own = _indent_at(text, into.items[0].start)
        if not text[text.rfind("\n", 0, into.items[0].start) + 1 : into.items[0].start].strip(" \t"):
            return own
    return close + _unit(text)


def _indent_at(text: str, place: int) -> str:
    """The indentation of the line that ``place`` is on."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _end_of(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place
