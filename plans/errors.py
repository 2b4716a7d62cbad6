"""The root of planctl's errors, and what is wrong with a plan file.

An error carries fields and one line of fact. Advice is added by the face that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class PlanctlError(Exception):
    """Anything that planctl expects to go wrong. ``str()`` is one line of fact."""


class Severity(StrEnum):
    """How much a problem matters: errors stop a plan, warnings and hints do not."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one plan file or with ``planctl.yaml``.

    ``line`` and ``column`` count from 1 (0 where no place can be named); ``field`` is the path of the
    header field (``files.write[2]``, counted from 0) or empty; ``code`` is stable, kebab-case and documented.
    """

    path: str
    code: str
    message: str
    line: int = 0
    column: int = 0
    field: str = ""
    hint: str = ""
    plan: str | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        field = f" {self.field}:" if self.field else ""
        return f"{where}: {self.severity}:{field} {self.message} [{self.code}]"


class InvalidPlansError(PlanctlError):
    """One or more plan files cannot be used; carries every problem of every file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = len(problems)
        first = f"{problems[0]}" if problems else ""
        more = f" (and {count - 1} more)" if count > 1 else ""
        super().__init__(first + more)


class UnknownPlanError(PlanctlError):
    """No plan of that id or path; ``known`` are the ids nearest to it."""

    def __init__(self, asked: str, known: tuple[str, ...] = ()) -> None:
        self.asked = asked
        self.known = known
        super().__init__(f"there is no plan {asked!r}")


class InvalidNameError(PlanctlError):
    """A text that is not a valid id of its kind (plan, phase, task)."""

    def __init__(self, kind: str, text: str, reason: str) -> None:
        self.kind = kind
        self.text = text
        self.reason = reason
        super().__init__(f"{text!r} is not a {kind} id: {reason}")


class BadValueError(PlanctlError):
    """One value that cannot be read; ``code`` and ``hint`` as in :class:`Problem`."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(message)


class UnknownTaskError(PlanctlError):
    """No task of that number in the plan; ``known`` are the numbers that there are."""

    def __init__(self, asked: str, known: tuple[str, ...] = ()) -> None:
        self.asked = asked
        self.known = known
        super().__init__(f"there is no task {asked!r}")


class CycleError(PlanctlError):
    """Plans that wait for each other in a circle; ``ids`` in order, the first not repeated."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        self.ids = ids
        super().__init__("dependencies form a circle: " + " → ".join((*ids, ids[0])))


class PatternSyntaxError(PlanctlError):
    """A text that is no pattern; ``index`` is its place in its list, from 0; ``code`` is stable."""

    def __init__(self, index: int, text: str, code: str, message: str, hint: str = "") -> None:
        self.index = index
        self.text = text
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(f"{text[:80]!r}: {message}")


class UndecidedPatternsError(PlanctlError):
    """Whether two pattern sets share a path was not found within the bound on work.

    Deciding is hard in general when many exclusions with wildcards overlap each other: any formula of
    logic can be written as such a list. Whoever asks must then take it that the sets do share one.
    """

    def __init__(self, a: tuple[str, ...], b: tuple[str, ...]) -> None:
        self.a = a
        self.b = b
        super().__init__(
            f"no answer for {len(a)} against {len(b)} patterns: the exclusions are too entangled"
        )


class ChangedMeanwhileError(PlanctlError):
    """Files changed since they were read, or appeared; nothing was written over them, nor anything else."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        shown = ", ".join(map(str, paths[:3]))
        super().__init__(f"changed since it was read: {shown}")
