"""What a sweep did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.running.families import EndedProcess


@dataclass(frozen=True, slots=True)
class Swept:
    """What was found and put right; ``skipped`` says why nothing was looked at.

    ``mended`` are pairs of a code of ``doctor`` and its subject; ``failures`` say what was not put right.
    """

    sessions: list[str] = field(default_factory=list)
    processes: list[EndedProcess] = field(default_factory=list)
    leases: list[str] = field(default_factory=list)
    rescues: list[str] = field(default_factory=list)
    mended: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def found(self) -> bool:
        """Whether there was anything to put right."""
        return bool(
            self.sessions or self.processes or self.leases or self.rescues or self.mended or self.failures
        )

    def ended(self) -> list[EndedProcess]:
        """The processes that are gone."""
        return [process for process in self.processes if process.is_gone]


def swept_data(swept: Swept) -> dict[str, Any]:
    """A sweep under the names of the contract."""
    return {
        "found": swept.found,
        "skipped": swept.skipped or None,
        "sessions": swept.sessions,
        "processes": [
            {"pid": process.pid, "name": process.name, "of": process.whose, "ended": process.is_gone}
            for process in swept.processes
        ],
        "leases": swept.leases,
        "rescues": swept.rescues,
        "mended": [{"code": code, "subject": subject} for code, subject in swept.mended],
        "failures": swept.failures,
    }


def swept_lines(swept: Swept) -> Iterator[str]:
    """A sweep for people."""
    if swept.skipped:
        yield f"skipped: {swept.skipped}"
        return
    for key in swept.sessions:
        yield f"ended session {key}"
    for process in swept.processes:
        did = "ended" if process.is_gone else "could not end"
        yield f"{did} {process.name} (pid {process.pid}) of {process.whose}"
    yield from (f"gave back {name}" for name in swept.leases)
    yield from (f"rescued {reference}" for reference in swept.rescues)
    yield from (f"mended {code} {subject}" for code, subject in swept.mended)
    yield from (f"not put right: {failure}" for failure in swept.failures)
    if not swept.found:
        yield "nothing was left over"
