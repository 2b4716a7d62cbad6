"""Errors and problems under the names of the contract, as ``--json`` and HTTP give them."""

from __future__ import annotations

import re

import plans.errors as of_plans


def error_data(
    error: BaseException, fact: str, advice: str, code: int, log: str | None = None
) -> dict[str, object]:
    """An error under the names of the contract; ``log`` is where the log of a fault is."""
    name = type(error).__name__.removesuffix("Error")
    said: dict[str, object] = {
        "code": re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(),
        "message": fact,
        "advice": advice,
        "exit": code,
    }
    if isinstance(error, of_plans.CycleError):
        said["ids"] = list(error.ids)
    if isinstance(error, of_plans.InvalidPlansError):
        said["problems"] = [problem_data(problem) for problem in error.problems]
    if log is not None:
        said["log"] = log
    return said


def problem_data(problem: of_plans.Problem) -> dict[str, object]:
    """A problem under the names of the contract."""
    return {
        "plan": problem.plan,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "field": problem.field,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    }
