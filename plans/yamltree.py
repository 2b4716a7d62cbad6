"""YAML without its dangers: one bounded pass over PyYAML's parse events, to a tree that knows its places.

Scalars stay text: ``1.10``, ``2:30`` and ``yes`` are what they look like. Aliases, anchors, tags, duplicate
keys and keys that are not text are faults. The parser in pure Python is used on purpose: the C one crashes
the process on 100 kB of ``[``. Its cost is quadratic in depth, so the bounds are checked at every event,
before the next one is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from plans.codes import Code
from plans.nodes import INVISIBLE, Fault, Listing, Node, Scalar, Table, cut, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_DEPTH: Final = 50
MAX_EVENTS: Final = 20_000
MAX_FAULTS: Final = 100
Event: TypeAlias = Any
"""One of PyYAML's events; their stubs do not say which has what."""


@dataclass(frozen=True, slots=True)
class Scan:
    """``root`` is None where the text is no YAML, is empty or passes a bound; then ``faults`` says why."""

    root: Node | None
    faults: tuple[Fault, ...]


class _StopError(Exception):
    """The pass ends here; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


@dataclass(slots=True)
class _Frame:
    line: int
    column: int
    is_table: bool
    nodes: list[Node] = field(default_factory=list)
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    key: Scalar | None = None

    def close(self) -> Node:
        if self.is_table:
            return Table(tuple(self.entries), self.line, self.column)
        return Listing(tuple(self.nodes), self.line, self.column)


def scan(text: str, *, first_line: int = 1) -> Scan:
    """Read ``text``, whose first line is line ``first_line`` of its file. Never raises."""
    builder = _Builder(first_line)
    try:
        builder.read(text)
    except _StopError as stop:
        return Scan(None, (*builder.faults, stop.fault))
    except yaml.YAMLError as error:
        return Scan(None, (*builder.faults, _syntax_fault(error, text, first_line)))
    except (ValueError, OverflowError) as error:
        # PyYAML lets these through for numbers of 5,000 digits in a directive and for escapes past U+10FFFF.
        fault = Fault(Code.YAML_SYNTAX, f"not YAML: {cut(str(error))}", builder.line, 1)
        return Scan(None, (*builder.faults, fault))
    return Scan(builder.root, tuple(builder.faults))


class _Builder:
    """Events in, tree out, with a stack of its own instead of recursion."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.line = first_line
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._stack: list[_Frame] = []
        self._documents = 0

    def read(self, text: str) -> None:
        handlers: dict[type, Callable[[Event], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceEndEvent: self._close,
            yaml.MappingEndEvent: self._close,
            yaml.DocumentStartEvent: self._document,
        }
        events: Iterable[Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        for count, event in enumerate(events):
            self.line = event.start_mark.line + self.first_line
            if count >= MAX_EVENTS or len(self.faults) >= MAX_FAULTS:
                raise self._stop(event, Code.YAML_TOO_LONG, "too many parts or faults to go on reading")
            handler = handlers.get(type(event))
            if handler:
                handler(event)

    def _document(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._stop(event, Code.YAML_DOCUMENTS, "a second YAML document begins here")
        if event.version or event.tags:
            raise self._stop(event, Code.YAML_SYNTAX, "YAML directives (%) are not allowed")

    def _scalar(self, event: Event) -> None:
        self._look_at_properties(event)
        line, column = self._place(event)
        broken = bool(INVISIBLE.search(event.value))
        if broken:
            self._fault(event, Code.CONTROL_CHARACTER, "the value contains an invisible control character")
        style = event.style
        self._add(Scalar(event.value, line, column, style is None, style == "|", broken), event)

    def _alias(self, event: Event) -> None:
        hint = "put a pattern that begins with * in quotes; write repeated values out"
        self._fault(event, Code.YAML_ALIAS, f"the alias *{cut(event.anchor)} is not allowed", hint)
        self._add(Scalar("", *self._place(event), broken=True), event)

    def _open(self, event: Event) -> None:
        self._look_at_properties(event)
        if len(self._stack) >= MAX_DEPTH:
            raise self._stop(event, Code.YAML_TOO_DEEP, f"nested more than {MAX_DEPTH} deep")
        self._stack.append(_Frame(*self._place(event), isinstance(event, yaml.MappingStartEvent)))

    def _close(self, event: Event) -> None:
        self._add(self._stack.pop().close(), event)

    def _add(self, node: Node, event: Event) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if not frame.is_table:
            frame.nodes.append(node)
        elif frame.key is None:
            frame.key = self._key(node, frame, event)
        else:
            if not frame.key.broken:
                frame.entries.append((frame.key, node))
            frame.key = None

    def _key(self, node: Node, frame: _Frame, event: Event) -> Scalar:
        broken = Scalar("", node.line, node.column, broken=True)
        if not isinstance(node, Scalar):
            hint = "put a value with { or [ in quotes"
            self._fault(event, Code.KEY_NOT_TEXT, "a list or mapping cannot be a key", hint)
            return broken
        if node.broken:
            return node
        if node.text in frame.seen:
            first = frame.seen[node.text]
            message = f"the key {shown(node.text)} stands here again, first in line {first}"
            self._fault(event, Code.DUPLICATE_KEY, message, "keep one of the two")
            return broken
        frame.seen[node.text] = node.line
        return node

    def _look_at_properties(self, event: Event) -> None:
        if event.anchor is not None:
            self._fault(event, Code.YAML_ANCHOR, f"the anchor &{cut(event.anchor)} is not allowed")
        if event.tag is not None:
            hint = "put a value that begins with ! in quotes"
            self._fault(event, Code.YAML_TAG, f"the tag {shown(event.tag)} is not allowed", hint)

    def _place(self, event: Event) -> tuple[int, int]:
        mark = event.start_mark
        return mark.line + self.first_line, mark.column + 1

    def _fault(self, event: Event, code: Code, message: str, hint: str = "") -> None:
        self.faults.append(Fault(code, message, *self._place(event), hint))

    def _stop(self, event: Event, code: Code, message: str) -> _StopError:
        return _StopError(Fault(code, message, *self._place(event)))


_HINTS: Final = (
    ("alias", "put a pattern that begins with * in quotes"),
    ("tag", "put a value that begins with ! in quotes"),
    ("mapping values are not allowed", "put a value that contains ': ' in quotes"),
    ("\\t", "indent with spaces, not with tabs"),
    ("cannot start any token", "put the value in quotes"),
    ("end of stream", "close the quote or bracket that is open here"),
    ("expected <block end>", "indent the lines of one list or mapping alike; quote values with [ or {"),
)


def _syntax_fault(error: yaml.YAMLError, text: str, first_line: int) -> Fault:
    """Turn PyYAML's error into one line, the place and what usually helps."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = [w for w in (getattr(error, "context", None), getattr(error, "problem", None)) if w]
    message = ", ".join(words) or getattr(error, "reason", "") or "not YAML"
    hint = next((hint for sign, hint in _HINTS if sign in message), "")
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines_in_text = text.count("\n")
    return Fault(Code.YAML_SYNTAX, cut(message, 200), min(line, lines_in_text) + first_line, column + 1, hint)
