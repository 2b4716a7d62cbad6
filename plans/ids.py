"""Names that come from outside, each with one way in: parse or raise."""

from __future__ import annotations

import re
from typing import Final, Self

from plans.errors import InvalidNameError

_PLAN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PHASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}(?:\.[0-9]{1,4})*")
_BRANCH_SIZE: Final = 200
_NOT_IN_BRANCHES: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//")
_TASK: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,4}")


class PlanId(str):
    """The id of a plan: ``[a-z0-9][a-z0-9._-]{0,63}``, no ``..``, not ending in ``.`` or ``.lock``.

    Every value is safe as a file name, as a component of a git reference and as an argument.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id, or raise :class:`InvalidNameError` with the reason."""
        if not _PLAN.fullmatch(text):
            raise InvalidNameError(
                "plan", text[:80], "1 to 64 of a-z 0-9 . _ - are allowed, the first a letter or digit"
            )
        if ".." in text:
            raise InvalidNameError("plan", text, "'..' is not allowed")
        if text.endswith((".", ".lock")):
            raise InvalidNameError("plan", text, "it must not end in '.' or '.lock'")
        return cls(text)


class PhaseId(str):
    """The id of a phase within its plan, such as ``1`` or ``model``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id, or raise :class:`InvalidNameError` with the reason."""
        if not _PHASE.fullmatch(text) or text.endswith(".lock"):
            raise InvalidNameError("phase", text[:80], "up to 32 of A-Z a-z 0-9 _ - are allowed")
        return cls(text)


class TaskId(str):
    """The number of a task within its plan, such as ``2.1``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id, or raise :class:`InvalidNameError` with the reason."""
        if not _TASK.fullmatch(text):
            raise InvalidNameError("task", text[:80], "numbers joined by dots are allowed, as in 2.1")
        return cls(text)


class BranchName(str):
    """The short name of a branch, as ``git check-ref-format --branch`` takes it; never an option.

    Stricter than git in three ways: 200 characters at most (reference files get suffixes), no ``refs/`` in
    front (the branch would be ``refs/heads/refs/…``), no lone surrogates (names are text here).
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name, or raise :class:`InvalidNameError` with the reason."""
        reason = _branch_fault(text)
        if reason:
            raise InvalidNameError("branch", text[:80], reason)
        return cls(text)


def _branch_fault(text: str) -> str:
    if not text or len(text) > _BRANCH_SIZE:
        return f"1 to {_BRANCH_SIZE} characters are allowed"
    found = _NOT_IN_BRANCHES.search(text)
    if found:
        return f"it must not contain {found.group()!r}"
    if text.startswith(("-", "/", "refs/")) or text in {"@", "HEAD"}:
        return "it must not begin with '-', '/' or 'refs/', or be '@' or 'HEAD'"
    if text.endswith(("/", ".")):
        return "it must not end with '/' or '.'"
    if any(part.startswith(".") or part.endswith(".lock") for part in text.split("/")):
        return "no part of it may begin with '.' or end with '.lock'"
    return ""
