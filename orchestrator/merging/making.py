"""The candidate of an entry on a commit: how, and in what words, its work is brought there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.merging.message import landing_message, landing_trailers
from plans.project import Method
from worktrees.candidate import Method as GitMethod
from worktrees.candidate import Work, make_candidate
from worktrees.errors import GitFailedError, MissingObjectError, SigningFailedError

if TYPE_CHECKING:
    from typing import NoReturn

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Outcome
    from worktrees.hot import Hot


class UnforeseenError(Exception):
    """Only a command can say what the tree will be."""


def give_up(_: str, __: frozenset[str]) -> NoReturn:
    """Stands for the commands of hot files where these are not run: raises UnforeseenError."""
    raise UnforeseenError


GITS_FAULT: Final = (GitFailedError, MissingObjectError, SigningFailedError)
"""What keeps a candidate from being made, and is nobody's work to blame for."""


def work_of(entry: Entry) -> Work:
    """What of an entry is to land."""
    return Work(entry.head, entry.base, entry.explicit_base)


def candidate_of(bench: Workbench, entry: Entry, old: str, hot: Hot) -> Outcome:
    """Bring an entry onto ``old``, which need not be the target's tip; raises as make_candidate."""
    method = Method(entry.method) if entry.method else bench.settings.project.method
    message = landing_message(bench, entry, method, old)
    return make_candidate(
        bench.git,
        bench.objects,
        GitMethod(method),
        old,
        work_of(entry),
        message,
        trailers=landing_trailers(entry),
        hot=hot,
    )
