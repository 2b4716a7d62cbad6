"""Kinds of values, part one: what a value is, and single values.

A kind reads a node and describes itself as JSON Schema; both come from the same arguments, so that the
reader of a file and the schema which editors use cannot drift apart. Part two, lists and mappings of
values, is in :mod:`plans.shapes`; the tables made of both in :mod:`plans.header` and
:mod:`plans.project_file`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from plans.codes import Code
from plans.errors import BadValueError, InvalidNameError, Problem, Severity
from plans.nodes import Listing, Node, Scalar, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
N = TypeVar("N", int, float)
Schema: TypeAlias = dict[str, Any]
MAX_PROBLEMS: Final = 100
MAX_TEXT: Final = 300
ANY_TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}
"""The JSON types of a YAML value that is read as text: ``1.10`` and ``yes`` are text to planctl."""


@dataclass(slots=True)
class Reporter:
    """Collects the problems of one file, :data:`MAX_PROBLEMS` at most."""

    path: str
    plan: str | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether further problems would not be kept; also spares the search for hints."""
        return len(self.problems) > MAX_PROBLEMS

    def at(self, place: Node, name: str, code: str, message: str, hint: str = "") -> None:
        """Report an error in the field ``name`` at the place of a node."""
        self.add(Problem(self.path, code, message, place.line, place.column, name, hint))

    def add(self, problem: Problem) -> None:
        """Keep ``problem``; the one past the limit becomes an error that says that there are more."""
        if self.is_full:
            return
        if len(self.problems) == MAX_PROBLEMS:
            text = f"more than {MAX_PROBLEMS} problems; the others are not shown"
            problem = Problem(self.path, Code.TOO_MANY_PROBLEMS, text, problem.line, problem.column)
        self.problems.append(problem)

    def finish(self) -> tuple[Problem, ...]:
        """All problems in the order of the file, with the plan's id where it is known by now."""
        ordered = sorted(self.problems, key=lambda p: (p.line, p.column, p.code, p.field))
        return tuple(_with_plan(p, self.plan) for p in ordered)


def _with_plan(problem: Problem, plan: str | None) -> Problem:
    p = problem
    return Problem(p.path, p.code, p.message, p.line, p.column, p.field, p.hint, plan, p.severity)


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether one of them stops the plan."""
    return any(p.severity is Severity.ERROR for p in problems)


class Kind(ABC, Generic[T]):
    """How one kind of value is read and described."""

    @abstractmethod
    def read(self, node: Node, name: str, reporter: Reporter) -> T | None:
        """The value of ``node``; None after having reported what is wrong with it."""

    @abstractmethod
    def schema(self) -> Schema:
        """JSON Schema (2020-12) of the values that :meth:`read` takes."""


class Word(Kind[T]):
    """A single value; ``parse`` makes it from its text or raises BadValueError or InvalidNameError."""

    def __init__(self, parse: Callable[[str], T], schema: Schema, *, many_lines: bool = False) -> None:
        self.parse = parse
        self._schema = schema
        self._many_lines = many_lines

    def read(self, node: Node, name: str, reporter: Reporter) -> T | None:
        """Text of the scalar, typed."""
        if not isinstance(node, Scalar):
            what = "a list" if isinstance(node, Listing) else "a mapping"
            reporter.at(node, name, Code.WRONG_TYPE, f"one value is expected here, not {what}")
            return None
        if node.broken:
            return None
        if node.is_empty:
            hint = "give it a value or remove the key"
            reporter.at(node, name, Code.EMPTY_VALUE, "nothing stands here", hint)
            return None
        text = node.text if self._many_lines else node.text.strip("\n")
        if "\n" in text and not self._many_lines:
            reporter.at(node, name, Code.NOT_ONE_LINE, "one line is expected here")
            return None
        try:
            return self.parse(text)
        except BadValueError as error:
            reporter.at(node, name, error.code, error.message, error.hint)
        except InvalidNameError as error:
            code = Code.BAD_BRANCH if error.kind == "branch" else Code.BAD_ID
            reporter.at(node, name, code, f"{shown(text)} is not a {error.kind}: {error.reason}")
        return None

    def schema(self) -> Schema:
        """As given."""
        return dict(self._schema)


def text(*, many_lines: bool = False, longest: int = MAX_TEXT) -> Word[str]:
    """Free text of one line (of ``longest`` characters at most), or of many."""

    def parse(value: str) -> str:
        if len(value) > longest:
            raise BadValueError(Code.TEXT_TOO_LONG, f"{len(value)} characters, where {longest} are possible")
        return value

    pattern = r"\S" if many_lines else r"^\n*[^\n]*\S[^\n]*\n*$"
    return Word(parse, {**ANY_TEXT, "pattern": pattern, "maxLength": longest}, many_lines=many_lines)


def command() -> Word[str]:
    """A command line for the shell; several lines are a small script."""
    return text(many_lines=True, longest=64 * 1024)


def matching(pattern: str, code: Code, what: str, hint: str = "") -> Word[str]:
    """A text that ``pattern`` matches as a whole (an expression that Python and ECMA read alike)."""
    return parsed(str, pattern, code, what, hint)


def parsed(make: Callable[[str], T], pattern: str, code: Code, what: str, hint: str = "") -> Word[T]:
    """A text that ``pattern`` matches as a whole, given to ``make``."""
    compiled = re.compile(pattern)

    def parse(value: str) -> T:
        if not compiled.fullmatch(value):
            raise BadValueError(code, f"{shown(value)} is not {what}", hint)
        return make(value)

    return Word(parse, {**ANY_TEXT, "pattern": f"^(?:{pattern})$", "minimum": 0})


def choice(values: dict[str, T]) -> Word[T]:
    """One of a few words, each with what it means."""
    words = ", ".join(values)

    def parse(value: str) -> T:
        if value not in values:
            raise BadValueError(Code.BAD_CHOICE, f"{shown(value)} is not one of: {words}")
        return values[value]

    return Word(parse, {"enum": list(values)})


def flag() -> Word[bool]:
    """``true`` or ``false``; ``yes`` is text, in YAML 1.2 as here."""

    def parse(value: str) -> bool:
        if value not in ("true", "false"):
            raise BadValueError(Code.BAD_CHOICE, f"{shown(value)} is neither true nor false")
        return value == "true"

    return Word(parse, {"enum": [True, False, "true", "false"]})


def number(least: int, most: int) -> Word[int]:
    """A whole number from ``least`` to ``most``, both included."""
    what = f"a whole number from {least} to {most}"
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return _ranged(int, r"[+-]?[0-9]{1,15}", what, schema)


def decimal(least: int, most: int) -> Word[float]:
    """A number, with or without a point, from ``least`` to ``most``, both included."""
    what = f"a number from {least} to {most}"
    schema = {"type": "number", "minimum": least, "maximum": most}
    return _ranged(float, r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?", what, schema)


def _ranged(make: Callable[[str], N], pattern: str, what: str, schema: Schema) -> Word[N]:
    compiled = re.compile(pattern)

    def parse(value: str) -> N:
        if not compiled.fullmatch(value) or not schema["minimum"] <= make(value) <= schema["maximum"]:
            raise BadValueError(Code.BAD_NUMBER, f"{shown(value)} is not {what}")
        return make(value)

    return Word(parse, {"anyOf": [schema, {"type": "string", "pattern": f"^(?:{pattern})$"}]})
