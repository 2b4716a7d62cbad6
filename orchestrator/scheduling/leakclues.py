"""What points from a file in the main checkout to a plan: processes, contents, outputs, declarations.

Everything here only reads. Asked of the files that were written between two looks, which are few.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.running.log import last_bytes
from orchestrator.running.places import StageName
from orchestrator.scheduling.leaks import Clue, Trace
from orchestrator.submitting.published import outputs_of
from plans.ids import PlanId
from worktrees.errors import MissingObjectError
from worktrees.ondisk import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.running.visits import Visit
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan

_MOST_OF_A_LOG: Final = 8 * 2**20
_LEADS_ON: Final = re.compile(rb"[\w./-]")
_GOES_ON: Final = re.compile(rb"[\w/-]|\.\w")
_EMPTY: Final = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # the blob without a byte


class Clues:
    """Looks for clues of one run; ``plans`` are those of the run."""

    def __init__(self, bench: Workbench, top: Path, plans: Mapping[PlanId, Plan]) -> None:
        self._bench = bench
        self._top = top
        self._plans = plans

    def of(
        self, paths: Sequence[str], attempts: Iterable[Attempt], seen: Iterable[Visit]
    ) -> dict[str, list[Clue]]:
        """Clues by path; ``attempts`` were at work, ``seen`` are processes of theirs in the checkout."""
        found: dict[str, list[Clue]] = {path: [] for path in paths}
        visits = list(seen)
        for attempt in attempts if paths else ():
            said = self._said(attempt)
            own = [visit for visit in visits if _is_of(visit, attempt)]
            for path in paths:
                found[path] += self._clues(path, attempt, own, said)
        return found

    def _said(self, attempt: Attempt) -> bytes:
        """The lines of the plan's output that name the main checkout: few, and searched for every file."""
        said, top = _tail(outputs_of(self._bench, PlanId(attempt.plan)).log), os.fsencode(self._top) + b"/"
        return b"\n".join(line for line in said.split(b"\n") if top in line) if top in said else b""

    def _clues(self, path: str, attempt: Attempt, own: Sequence[Visit], said: bytes) -> Iterator[Clue]:
        place = os.path.join(self._top, path)  # noqa: PTH118 - a name of any bytes
        for visit in own:
            if visit.path == place:
                yield Clue(attempt.plan, Trace.OPEN, f"{visit.command}, pid {visit.pid}")
        if self._is_own_content(path, attempt):
            yield Clue(attempt.plan, Trace.CONTENT)
        if _names(said, place):
            yield Clue(attempt.plan, Trace.NAMED)
        for visit in [visit for visit in own if not visit.path][:1]:
            yield Clue(attempt.plan, Trace.STOOD, f"{visit.command}, pid {visit.pid}")
        plan = self._plans.get(PlanId(attempt.plan))
        folding = self._bench.settings.folding
        if plan and plan.declared and folding.patterns(plan.declared.write).matches(folding.path(path)):
            yield Clue(attempt.plan, Trace.DECLARED)

    def _is_own_content(self, path: str, attempt: Attempt) -> bool:
        """Whether the plan has it so in its worktree and did not start with it; an empty file is no clue."""
        if attempt.worktree is None or attempt.base is None:
            return False
        worktree = Path(attempt.worktree)
        try:
            if (self._top / path).lstat().st_size != (worktree / path).lstat().st_size:
                return False  # most are told apart without being read
            mine, own = look(self._top, path), look(worktree, path)
            began = self._bench.objects.entry(attempt.base, path)
        except (OSError, MissingObjectError):  # gone or not for us to read, or a partial clone: no clue
            return False
        if mine is None or own is None or mine.object == _EMPTY:
            return False
        return mine.object == own.object and (began is None or began.object != mine.object)


def _is_of(visit: Visit, attempt: Attempt) -> bool:
    """Of any of its commands: another one may have been launched since."""
    stage = StageName.parse(visit.supervised)
    return stage is not None and stage.attempt == attempt.id


def _tail(log: Path) -> bytes:
    """The end of what a command has said; nothing where there is no log."""
    try:
        return last_bytes(log, _MOST_OF_A_LOG)
    except OSError:  # the folder is the plan's to spoil
        return b""


def _names(said: bytes, place: str) -> bool:
    """Whether the full name of the file is in there, and not as a part of another name."""
    name = os.fsencode(place)
    at = said.find(name)
    while at >= 0:
        if not (at and _LEADS_ON.match(said, at - 1)) and not _GOES_ON.match(said, at + len(name)):
            return True
        at = said.find(name, at + 1)
    return False
