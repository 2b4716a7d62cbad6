"""What a run came to: the lists of ``run.finished`` and a line for each plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

from orchestrator.scheduling.reasons import Code
from orchestrator.services.explaining import cure_of
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.scheduling.leaks import Leak
    from orchestrator.store.records import Attempt, Entry

_A = AttemptState
_AGAIN: Final = "`planctl retry {plan}` does it again"
_TAKE_BACK: Final = "bring it into the worktree, or keep it if it is yours, then `planctl queue add {plan}`"


@dataclass(frozen=True, slots=True)
class Line:
    """The end of one plan: its state and, unless all is well, why. ``log`` names a check's log.

    ``cure`` is what a person can do about work that waits for one.
    """

    plan: str
    state: str
    why: Mapping[str, Any]
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Plans by what became of them; each plan of the run is in exactly one list.

    ``leaks`` are files that were written in the main checkout meanwhile, and are there still.
    """

    run: str
    landed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    leaks: tuple[Leak, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether every plan landed, or finished where that was all that was asked."""
        return not self.failed and not self.skipped


def summarize(run: str, attempts: Iterable[Attempt], entries: Mapping[str, Entry], *, land: bool) -> Summary:
    """Sort the newest attempt of each plan into the lists of the command line's contract."""
    newest: dict[str, Attempt] = {}
    for attempt in sorted(attempts, key=lambda a: a.number):
        newest[attempt.plan] = attempt
    lists: dict[str, list[str]] = {"landed": [], "failed": [], "skipped": [], "finished": []}
    lines = []
    for plan, attempt in sorted(newest.items()):
        lists[_list_of(attempt, land=land)].append(plan)
        entry = entries.get(attempt.entry or "")
        if entry is not None and attempt.state is _A.QUEUED:
            lines.append(Line(plan, str(entry.state), entry.reason, cure_of(entry)))
        else:
            lines.append(Line(plan, str(attempt.state), attempt.reason, _cure(attempt)))
    landed, failed, skipped, finished = (tuple(plans) for plans in lists.values())
    return Summary(run, landed, failed, skipped, finished, tuple(lines))


def _cure(attempt: Attempt) -> str:
    if attempt.reason.get("code") == Code.LEAKED:
        return _TAKE_BACK.format(plan=attempt.plan)
    return _AGAIN.format(plan=attempt.plan) if attempt.state is _A.CANCELLED else ""


def _list_of(attempt: Attempt, *, land: bool) -> str:
    match attempt.state:
        case _A.LANDED:
            return "landed"
        case _A.FAILED | _A.TIMED_OUT | _A.CONFLICTED | _A.REJECTED | _A.LOST:
            return "failed"
        case _A.FINISHED:
            return "skipped" if land else "finished"
        case _A.PENDING | _A.WAITING | _A.PREPARING | _A.RUNNING | _A.DEFERRED:
            return "skipped"
        case _A.PREPARED | _A.QUEUED | _A.CANCELLED:
            return "skipped"
        case _ as never:
            assert_never(never)
