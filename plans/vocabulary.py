"""Names and paths as they occur in headers and in ``planctl.yaml``, each with one kind."""

from __future__ import annotations

import re
from typing import Final

from plans.codes import Code
from plans.errors import BadValueError
from plans.ids import BranchName, PhaseId, PlanId
from plans.kinds import ANY_TEXT, Word, matching, parsed, text
from plans.nodes import shown
from plans.phrases import MAX_PHRASE, Phrase

# The expressions repeat those of plans.ids, for editors; the parsers of plans.ids have the last word.
PLAN_PATTERN: Final = r"(?!.*\.\.)(?!.*(?:\.|\.lock)$)[a-z0-9][a-z0-9._-]{0,63}"
PHASE_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}(?:\.[0-9]{1,4})*"
NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}"
_REFUSED_IN_BRANCHES: Final = (
    r"(?![-/])(?!refs/)(?!(?:@|HEAD)$)(?!.*(?:\.\.|@\{|//))(?!.*[/.]$)(?!(?:.*/)?\.)(?!.*\.lock(?:/|$))"
)
BRANCH_PATTERN: Final = _REFUSED_IN_BRANCHES + r"[^\x00-\x20\x7f~^:?*\[\\]{1,200}"


def plan_id() -> Word[PlanId]:
    """The id of a plan."""
    return Word(PlanId.parse, {**ANY_TEXT, "pattern": f"^(?:{PLAN_PATTERN})$", "minimum": 0})


def phase_id() -> Word[PhaseId]:
    """The id of a phase."""
    return Word(PhaseId.parse, {**ANY_TEXT, "pattern": f"^(?:{PHASE_PATTERN})$", "minimum": 0})


def branch() -> Word[str]:
    """The short name of a branch."""
    return Word(BranchName.parse, {**ANY_TEXT, "pattern": f"^(?:{BRANCH_PATTERN})$"})


def name(of: str) -> Word[str]:
    """The name of a label, a resource or an agent."""
    return matching(NAME_PATTERN, Code.BAD_NAME, f"the name of {of}: up to 64 of A-Z a-z 0-9 . _ : / + -")


def variable() -> Word[str]:
    """The name of an environment variable."""
    return matching(r"[A-Za-z_][A-Za-z0-9_]{0,199}", Code.BAD_NAME, "the name of an environment variable")


def path_inside(what: str) -> Word[str]:
    """A path, or a pattern of paths, below the repository's top; ``/`` separates on every platform."""
    pattern = r"(?![/~])(?![A-Za-z]:)(?!(?:.*/)?\.\.(?:/|$))[^\\]{1,1000}"
    hint = "write it relative to the repository's top, with / and without .."
    return parsed(str, pattern, Code.BAD_PATH, what, hint)


def hot_file() -> Word[str]:
    """One file below the repository's top; its folder's attributes get a line with its name."""
    refused = r"(?![/~:!])(?![A-Za-z]:)(?!.*//)(?!.*/$)"
    special = r"(?!(?:.*/)?(?:\.{1,2}|\.[gG][iI][tT](?:[aA][tT][tT][rR][iI][bB][uU][tT][eE][sS])?)(?:/|$))"
    pattern = refused + special + r"[^\\*?\[\x00-\x1f\x7f]{1,250}"
    hint = "write it relative to the repository's top, with / and without *, ? or ["
    return parsed(str, pattern, Code.BAD_PATH, "the path of one file", hint)


def path_anywhere() -> Word[str]:
    """A path that may lead out of the repository; relative ones start at the repository's top."""
    return text(longest=1000)


def phrase() -> Word[Phrase]:
    """What a line of a command has to say to be known; see :mod:`plans.phrases`."""
    return Word(Phrase.parse, {**ANY_TEXT, "minLength": 6, "maxLength": MAX_PHRASE, "minimum": 0})


_REMOTE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def remote() -> Word[str]:
    """The name of a remote of the repository. A URL is none: no file may choose what git talks to."""

    def parse(value: str) -> str:
        if not _REMOTE.fullmatch(value) or ".." in value or value.endswith((".", ".lock")):
            raise BadValueError(Code.BAD_NAME, f"{shown(value)} is not the name of a remote")
        return value

    return Word(parse, {**ANY_TEXT, "pattern": f"^{_REMOTE.pattern}$", "maxLength": 100})
