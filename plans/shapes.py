"""Kinds of values, part two: lists, mappings and records of values; pattern lists."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from plans.codes import Code
from plans.errors import BadValueError, PatternSyntaxError, Problem, Severity
from plans.kinds import Kind, Reporter, Schema, Word, text
from plans.nodes import Listing, Node, Scalar, Table, shown
from plans.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
V = TypeVar("V")


class Many(Kind[tuple[T, ...]]):
    """A list of values; a single one is a list of one.

    A value that stands twice is kept once, with a warning. Where ``identity`` is given, two values that
    share it are an error with the code ``clash``.
    """

    def __init__(
        self,
        item: Kind[T],
        identity: Callable[[T], object] = repr,
        clash: Code = Code.DUPLICATE_VALUE,
    ) -> None:
        self._item = item
        self._identity = identity
        self._clash = clash

    def read(self, node: Node, name: str, reporter: Reporter) -> tuple[T, ...] | None:
        """The good values in order; None where all are bad."""
        if not isinstance(node, Listing):
            value = self._item.read(node, name, reporter)
            return None if value is None else (value,)
        values: list[T] = []
        known: dict[object, int] = {}
        for index, item in enumerate(node.items):
            value = self._item.read(item, f"{name}[{index}]", reporter)
            if value is None:
                continue
            same = self._identity(value)
            if same in known:
                self._report_twice(item, f"{name}[{index}]", known[same], reporter)
                continue
            known[same] = item.line
            values.append(value)
        return tuple(values) if values or not node.items else None

    def _report_twice(self, node: Node, name: str, first: int, reporter: Reporter) -> None:
        message = f"this stands in the list already, first in line {first}"
        is_warning = self._clash is Code.DUPLICATE_VALUE
        severity = Severity.WARNING if is_warning else Severity.ERROR
        where = (node.line, node.column, name)
        reporter.add(Problem(reporter.path, self._clash, message, *where, severity=severity))

    def schema(self) -> Schema:
        """One, or an array."""
        item = self._item.schema()
        return {"anyOf": [item, {"type": "array", "items": item}]}


class Patterns(Kind[PatternSet]):
    """An ordered list of patterns, or one."""

    def read(self, node: Node, name: str, reporter: Reporter) -> PatternSet | None:
        """Every pattern is tried by itself first, so that all that are wrong are reported at once."""
        listed = isinstance(node, Listing)
        items = node.items if isinstance(node, Listing) else (node,)
        texts: list[str] = []
        for index, item in enumerate(items):
            field = f"{name}[{index}]" if listed else name
            value = _PATTERN.read(item, field, reporter)
            if value is not None and _pattern_is_good(value, item, field, reporter):
                texts.append(value)
        if len(texts) != len(items):
            return None
        try:
            return PatternSet.parse(texts)
        except PatternSyntaxError as error:
            field = f"{name}[{error.index}]" if listed else name
            reporter.at(items[error.index], field, error.code, error.message, error.hint)
            return None

    def schema(self) -> Schema:
        """One, or an array; the syntax of a pattern is more than a schema can say."""
        return Many(_PATTERN).schema()


_PATTERN: Word[str] = text(longest=4096)


def _pattern_is_good(value: str, node: Node, name: str, reporter: Reporter) -> bool:
    # A pattern that takes away is only a pattern after one that gives.
    before = ["**"] if value.startswith("!") else []
    try:
        PatternSet.parse([*before, value])
    except PatternSyntaxError as error:
        reporter.at(node, name, error.code, error.message, error.hint)
        return False
    return True


class Named(Kind[dict[str, V]]):
    """A mapping from names of one kind to values of one kind."""

    def __init__(self, key: Word[str], value: Kind[V]) -> None:
        self._key = key
        self._value = value

    def read(self, node: Node, name: str, reporter: Reporter) -> dict[str, V] | None:
        """The good pairs in the order of the file; None where all are bad."""
        table = _table(node, name, reporter)
        if table is None:
            return None
        values: dict[str, V] = {}
        for key_node, value_node in table.entries:
            field = f"{name}.{shown(key_node.text)[1:-1]}"
            key = self._key.read(key_node, field, reporter)
            value = self._value.read(value_node, field, reporter)
            if key is not None and value is not None:
                values[key] = value
        return values if values or not table.entries else None

    def schema(self) -> Schema:
        """An object whose keys match."""
        keys = {k: v for k, v in self._key.schema().items() if k == "pattern"}
        return {"type": "object", "propertyNames": keys, "additionalProperties": self._value.schema()}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record: what its value is, and a sentence for people."""

    kind: Kind[Any]
    doc: str
    required: bool = False


class Record(Kind[T]):
    """A mapping with known keys. ``build`` makes the value of those present, or raises BadValueError.

    ``rules`` are parts of JSON Schema that say what ``build`` refuses.
    """

    def __init__(
        self, keys: Mapping[str, Key], build: Callable[[dict[str, Any]], T], rules: Schema | None = None
    ) -> None:
        self.keys = keys
        self._build = build
        self._rules = rules or {}

    def read(self, node: Node, name: str, reporter: Reporter) -> T | None:
        """The record, if everything in it is good."""
        table = _table(node, name, reporter)
        if table is None:
            return None
        values = self.read_keys(table, name, reporter)
        missing = [k for k, key in self.keys.items() if key.required and k not in values]
        present = {key.text for key, _ in table.entries}
        for key in missing:
            if key not in present:
                reporter.at(node, name, Code.MISSING_KEY, f"the key {key!r} is missing")
        if missing or present - values.keys():
            return None
        try:
            return self._build(values)
        except BadValueError as error:
            reporter.at(node, name, error.code, error.message, error.hint)
            return None

    def read_keys(self, table: Table, name: str, reporter: Reporter) -> dict[str, Any]:
        """The values of all keys that are known and good; everything else is reported."""
        values: dict[str, Any] = {}
        for key, node in table.entries:
            field = f"{name}.{shown(key.text)[1:-1]}".lstrip(".")
            known = self.keys.get(key.text)
            if known is None:
                self._report_unknown(key, field, reporter)
                continue
            value = known.kind.read(node, field, reporter)
            if value is not None:
                values[key.text] = value
        return values

    def _report_unknown(self, key: Scalar, field: str, reporter: Reporter) -> None:
        if reporter.is_full:
            return
        near = difflib.get_close_matches(key.text[:64].lower(), self.keys, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "known here: " + ", ".join(self.keys)
        reporter.at(key, field, Code.UNKNOWN_KEY, f"the key {shown(key.text)} is not known here", hint)

    def schema(self) -> Schema:
        """An object without further keys."""
        required = [k for k, key in self.keys.items() if key.required]
        return {
            "type": "object",
            "properties": {k: {"description": v.doc, **v.kind.schema()} for k, v in self.keys.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **self._rules,
        }


class WordOr(Kind[T]):
    """A value with a short form (one word) and a long form (a mapping)."""

    def __init__(self, short: Word[T], long: Record[T]) -> None:
        self._short = short
        self._long = long

    def read(self, node: Node, name: str, reporter: Reporter) -> T | None:
        """The value in whichever form."""
        return (self._long if isinstance(node, Table) else self._short).read(node, name, reporter)

    def schema(self) -> Schema:
        """Either."""
        return {"anyOf": [self._short.schema(), self._long.schema()]}


def _table(node: Node, name: str, reporter: Reporter) -> Table | None:
    if isinstance(node, Table):
        return node
    if isinstance(node, Scalar) and node.broken:
        return None
    if isinstance(node, Scalar) and node.is_empty:
        reporter.at(node, name, Code.EMPTY_VALUE, "nothing stands here", "give it a value or remove the key")
        return None
    reporter.at(node, name, Code.WRONG_TYPE, "a mapping ('key: value' lines) is expected here")
    return None
