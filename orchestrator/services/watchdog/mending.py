"""Runs, attempts, commands and slots that nobody is in charge of, put right as ``doctor --fix`` does.

Loaded only when there is something to mend: it needs git.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.running import platforms
from orchestrator.running.families import EndedProcess, program_of
from orchestrator.services.diagnosis.processes import examine_processes
from orchestrator.services.diagnosis.runs import examine_attempts, examine_runs
from orchestrator.services.diagnosis.slots import examine_slots
from orchestrator.services.diagnosis.ward import Ward
from orchestrator.services.orphans import left_of, over_since
from plans.effects import step
from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.running.platforms import Process
    from orchestrator.services.diagnosis.ward import Issue
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

CODES: Final = frozenset(
    {
        *("run-abandoned", "attempt-half-prepared", "attempt-without-supervisor"),
        *("process-orphaned", "slot-orphaned"),
    }
)
"""What is left of those who crashed. The rest of what ``doctor`` finds is for a person who asks for it."""
_IN_ORDER: Final = (examine_runs, examine_attempts, examine_processes, examine_slots)


@dataclass(frozen=True, slots=True)
class Mended:
    """A finding whose cure was tried, and the processes that were of it; ``failure`` says why it failed."""

    code: str
    subject: str
    processes: tuple[EndedProcess, ...] = ()
    failure: str = ""


def mend(bench: Workbench, session: SessionHandle, check: Callable[[], None]) -> Iterator[Mended]:
    """Cure each finding of :data:`CODES`, one after the other; ``check`` is called before each.

    Each kind is looked for after those before it were cured: a command is ended before its slot is tidied.
    """
    own = frozenset({session.id})
    for examine in _IN_ORDER:
        ward = Ward(bench.repository, bench.git, bench.store, bench.clock, bench.settings.project, own)
        for issue in examine(ward).issues:
            if issue.code in CODES and issue.cure is not None:
                check()
                yield _cured(ward, issue, bench, session)


def _cured(ward: Ward, issue: Issue, bench: Workbench, session: SessionHandle) -> Mended:
    assert issue.cure is not None, "the caller has looked"
    before = [(process, program_of(process.pid)) for process in _processes_of(ward, issue.subject)]
    failure = ""
    try:
        with step("watchdog.mend"):
            issue.cure(bench, session)
    except (PlanctlError, OSError) as error:
        failure = str(error)
    ended = [
        EndedProcess(p.pid, name, not platforms.is_alive(p.pid, p.started), issue.subject)
        for p, name in before
    ]
    return Mended(issue.code, issue.subject, tuple(ended), failure)


def _processes_of(ward: Ward, subject: str) -> list[Process]:
    """The living processes of a command, or of all the commands of an attempt."""
    state_dir = ward.repository.state_dir
    of_it = {name: found for name, found in ward.marked.items() if _is_of(name, subject)}
    over = {name: over_since(ward.store, state_dir, name) is not None for name in of_it}
    left = {name: left_of(ward.store, state_dir, name, found) for name, found in of_it.items() if over[name]}
    pids = {pid for found in (of_it | left).values() for pid in found}
    return [process for pid in sorted(pids) if (process := platforms.find_process(pid))]


def _is_of(command: str, subject: str) -> bool:
    return subject in (command, command.rpartition("-")[0])
